"""Tasks on the caller's loop: kept alive, bounded and counted."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar

from everwarm import Cache, background_stats
from everwarm._background import TASKS, spawn

who = ContextVar("who", default="nobody")


async def settled():
    while background_stats().tasks:
        await asyncio.sleep(0)
    return background_stats()


def test_a_task_is_kept_alive_and_counted(pool):
    seen = []

    async def main():
        gate = asyncio.Event()

        async def work():
            await gate.wait()
            seen.append(asyncio.get_running_loop())

        assert spawn(work())
        await asyncio.sleep(0)
        gc.collect()
        assert background_stats().tasks == 1
        gate.set()
        stats = await settled()
        assert (stats.done, stats.failed) == (1, 0)
        assert seen == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_the_context_of_a_task_is_copied_or_empty(pool):
    seen = []

    async def work():
        seen.append(who.get())

    async def main():
        who.set("Ada")
        spawn(work())
        await settled()
        spawn(work(), context="empty")
        await settled()

    asyncio.run(main())
    assert seen == ["Ada", "nobody"]


def test_the_error_of_a_task_is_counted_and_told(pool):
    told = []
    cache = Cache(on_background_error=told.append)

    async def fails():
        raise LookupError("gone")

    async def main():
        spawn(fails(), owner=cache)
        stats = await settled()
        assert (stats.done, stats.failed) == (1, 1)

    asyncio.run(main())
    assert [str(error) for error in told] == ["gone"]


def test_tasks_are_bounded_for_each_loop(pool):
    async def main():
        gate = asyncio.Event()
        for _ in range(TASKS):
            assert spawn(gate.wait())
        assert not spawn(gate.wait())
        assert background_stats().refused == 1
        gate.set()
        assert (await settled()).done == TASKS

    asyncio.run(main())
    asyncio.run(main_again())


async def main_again():
    assert spawn(asyncio.sleep(0))
    await settled()


def test_without_a_loop_there_is_no_task(pool):
    coroutine = main_again()
    assert not spawn(coroutine)
    assert background_stats().refused == 1


def test_aclose_waits_for_the_tasks_of_its_cache(pool):
    cache, seen = Cache(), []

    async def main():
        gate = asyncio.Event()

        async def work():
            await gate.wait()
            seen.append(1)

        spawn(work(), owner=cache)
        spawn(asyncio.sleep(60))
        asyncio.get_running_loop().call_later(0.02, gate.set)
        await cache.aclose()
        assert seen == [1]

    asyncio.run(main())


def test_aclose_waits_for_threads_and_holds_no_loop_up(pool, held):
    from everwarm._background import submit

    cache = Cache()

    async def main():
        submit(held, owner=cache)
        held.has_begun()
        asyncio.get_running_loop().call_later(0.02, held.go.set)
        await cache.aclose()
        assert background_stats().done == 1

    asyncio.run(main())


def test_close_cancels_tasks_and_counts_them(pool):
    cache = Cache()

    async def main():
        spawn(asyncio.sleep(60), owner=cache)
        await asyncio.sleep(0)
        cache.close()
        assert (await settled()).dropped == 1

    asyncio.run(main())


def test_tasks_of_a_loop_that_ends_are_counted_as_dropped(pool):
    async def main():
        spawn(asyncio.sleep(60))

    asyncio.run(main())
    stats = background_stats()
    assert (stats.tasks, stats.dropped) == (0, 1)


def test_tasks_of_a_loop_that_was_closed_are_forgotten(pool):
    loop = asyncio.new_event_loop()

    async def main():
        spawn(asyncio.sleep(60))

    loop.run_until_complete(main())
    lost = asyncio.all_tasks(loop)
    loop.close()

    async def other():
        assert spawn(asyncio.sleep(0))
        stats = await settled()
        assert (stats.dropped, stats.done) == (1, 1)

    asyncio.run(other())
    for task in lost:
        task._log_destroy_pending = False


def test_a_hundred_tasks_submit(pool):
    seen = []

    async def work(n):
        await asyncio.sleep(0)
        seen.append(n)

    async def caller(n):
        assert spawn(work(n))

    async def main():
        await asyncio.gather(*(caller(n) for n in range(100)))
        assert (await settled()).done == 100

    asyncio.run(main())
    assert sorted(seen) == list(range(100))

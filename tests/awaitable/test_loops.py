"""On asyncio's loop, on uvloop and on trio awaited calls do the same; written once, in the words of anyio."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import uuid

import pytest
from conftest import loud_skip
from everwarm import Cache, Recursion, Timeout, background_stats
from everwarm.testing import chaos
from servers import emptied, needed
from worlds import until

pytestmark = [pytest.mark.timeout(60), pytest.mark.libraries]

try:
    import anyio
    import trio
    import uvloop  # noqa: F401 - anyio loads it
except ImportError as missing:
    loud_skip(str(missing))

LOOPS = {"asyncio": ("asyncio", {}), "uvloop": ("asyncio", {"use_uvloop": True}), "trio": ("trio", {})}


@pytest.fixture(params=LOOPS)
def run(request):
    """Runs a coroutine function on a new loop, to its end."""
    backend, options = LOOPS[request.param]

    def run(main, *args):
        return anyio.run(main, *args, backend=backend, backend_options=options)

    run.is_trio = backend == "trio"
    return run


@pytest.fixture(params=["memory", "later", "redis"])
def shop(request):
    """A cache in memory, on a store that answers later, or on Redis."""
    # Nobody else's, so that nothing is heard of what was cleared before.
    namespace = f"loops-{uuid.uuid4().hex[:8]}"
    if request.param == "memory":
        place = "memory://"
    elif request.param == "later":
        place = chaos("memory://", seed=1, delay=1.0, delay_by=0.005)
    else:
        place = f"{needed('EVERWARM_TEST_REDIS')}?timeout=5s"
    cache = Cache([place], namespace=namespace)
    yield cache
    cache.close()
    if request.param == "redis":
        emptied(needed("EVERWARM_TEST_REDIS"), namespace)


async def together(calls):
    """What calls give that are begun at once."""
    got = [None] * len(calls)

    async def one(place, call):
        got[place] = await call()

    async with anyio.create_task_group() as group:
        for place, call in enumerate(calls):
            group.start_soon(one, place, call)
    return got


async def reached(condition):
    """Waits for what no event tells."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        await anyio.sleep(0.001)


def test_a_crowd_has_one_computation(run, shop):
    runs = []

    @shop(ttl="1m", name="double")
    async def double(x: int) -> int:
        runs.append(x)
        await anyio.sleep(0.02)
        return 2 * x

    async def main():
        calls = [lambda n=n: double(n % 5) for n in range(50)]
        assert await together(calls) == [2 * (n % 5) for n in range(50)]
        assert (await double(1), (await double.call(1)).status) == (2, "hit")

    run(main)
    assert sorted(runs) == list(range(5))
    run(main)
    assert len(runs) == 5
    stats = double.stats()
    assert stats.calls == stats.hits + stats.misses + stats.stale + stats.bypass == 104


def test_the_verbs_of_objects(run, shop):
    async def main():
        await shop.aset("a", 1, ttl="1m")
        assert [await shop.aget("a"), await shop.aget_many(["a", "b"])] == [1, {"a": 1}]
        assert [await shop.aincr("n", 5), await shop.aadd("a", 2), await shop.adelete("a")] == [
            5,
            False,
            True,
        ]
        calls = [lambda: shop.aget_or_compute("b", computed) for _ in range(20)]
        assert await together(calls) == [7] * 20

    async def computed():
        runs.append(1)
        await anyio.sleep(0.01)
        return 7

    runs = []
    run(main)
    assert runs == [1]


def test_a_leader_that_is_cancelled_hands_over_and_a_follower_leaves_alone(run, shop):
    go, runs = threading.Event(), []

    @shop(name="held")
    async def held(x: int) -> int:
        runs.append(x)
        await reached(go.is_set)
        return x

    async def main():
        got = []

        async def follow():
            got.append(await held(1))

        async with anyio.create_task_group() as outer:
            async with anyio.create_task_group() as leader:
                leader.start_soon(held, 1)
                await reached(lambda: runs == [1])
                outer.start_soon(follow)
                outer.start_soon(follow)
                with anyio.move_on_after(0.01) as left:
                    await held(1)
                assert left.cancelled_caught and runs == [1]
                await reached(lambda: held.stats().misses == 4)
                leader.cancel_scope.cancel()
            await reached(lambda: runs == [1, 1])
            go.set()
        assert got == [1, 1]

    run(main)


def test_who_follows_gets_the_leaders_error(run, shop):
    runs = []

    @shop(name="fails")
    async def fails(x: int) -> int:
        runs.append(x)
        await anyio.sleep(0.02)
        raise LookupError(x)

    async def caught():
        with pytest.raises(LookupError, match="7"):
            await fails(7)

    run(together, [caught] * 10)
    assert len(runs) == 1


def test_a_call_that_waits_for_itself_is_refused(run):
    @Cache()
    async def circle(x: int) -> int:
        return await circle(x)

    with pytest.raises(Recursion):
        run(circle, 1)


def test_leaders_and_followers_on_other_loops_and_threads(shop):
    go, runs, got = threading.Event(), [], []

    @shop(name="held")
    async def held(x: int) -> int:
        runs.append(x)
        await reached(go.is_set)
        return x

    async def ask():
        got.append(await held(1))

    threads = [
        threading.Thread(target=anyio.run, args=(ask,), kwargs={"backend": name, "backend_options": options})
        for name, options in [*LOOPS.values()] * 3
    ]
    for thread in threads:
        thread.start()
    until(lambda: held.stats().misses == len(threads))
    go.set()
    for thread in threads:
        thread.join()
    assert (runs, got) == ([1], [1] * len(threads))


def test_what_is_old_is_computed_anew_beside_its_reader(run, clock):
    shop = Cache(clock=clock)
    values = iter(range(10))

    @shop(ttl=10, stale_while_revalidate=100)
    async def count(x: int) -> int:
        value = next(values)
        await anyio.sleep(0.01)
        return value

    async def main():
        assert await count(1) == 0
        clock.advance(20)
        found = await count.call(1)
        assert (found.value, found.status) == (0, "stale")
        await reached(lambda: count.peek(1).value == 1)
        clock.advance(20)
        assert await count(1) == 1
        await shop.aclose()

    before = background_stats()
    run(main)
    until(lambda: background_stats().tasks == 0)
    after = background_stats()
    assert after.done + after.dropped - before.done - before.dropped == 2
    assert after.failed == before.failed


def test_an_error_behind_an_old_value_is_told_and_ends_nothing(run, clock):
    told = []
    shop = Cache(clock=clock, on_background_error=told.append)
    fails = False

    @shop(ttl=10, stale_while_revalidate=100)
    async def frail(x: int) -> int:
        await anyio.sleep(0)
        if fails:
            raise LookupError("gone")
        return x

    async def main():
        nonlocal fails
        assert await frail(1) == 1
        fails = True
        clock.advance(20)
        assert await frail(1) == 1
        await reached(lambda: told)

    run(main)
    assert [type(error) for error in told] == [LookupError]


def test_who_waits_too_long_leaves_and_the_computation_goes_on(run):
    go, ended = threading.Event(), []

    @Cache()(hard_timeout=0.05)
    async def slow(x: int) -> int:
        await reached(go.is_set)
        ended.append(x)
        return x

    async def main():
        with pytest.raises(Timeout):
            await slow(1)
        go.set()
        await reached(lambda: slow.peek(1) is not None)
        assert await slow(1) == 1

    run(main)
    assert ended == [1]


def test_a_soft_limit_serves_the_old_value(run, clock):
    go = threading.Event()
    go.set()

    @Cache(clock=clock)(ttl=10, stale_if_error=100, soft_timeout=0.05)
    async def slow(x: int) -> int:
        await reached(go.is_set)
        return next(values)

    async def main():
        assert await slow(1) == 0
        clock.advance(20)
        go.clear()
        found = await slow.call(1)
        assert (found.value, found.status) == (0, "stale")
        go.set()
        await reached(lambda: slow.peek(1).value == 1)

    values = iter(range(10))
    run(main)


@pytest.mark.parametrize("on_cancel", ["continue", "hand_over"])
def test_a_caller_that_is_cancelled(on_cancel, run):
    go, runs, unwound = threading.Event(), [], []

    @Cache()(on_cancel=on_cancel, hard_timeout="1m")
    async def slow(x: int) -> int:
        runs.append(x)
        try:
            await reached(go.is_set)
            return x
        finally:
            unwound.append(x)

    async def main():
        with anyio.move_on_after(0.02) as scope:
            await slow(1)
        assert scope.cancelled_caught and runs == [1]
        # Whoever is cancelled goes on only when what it awaited has been unwound.
        assert unwound == ([] if on_cancel == "continue" else [1])
        go.set()
        if on_cancel == "continue":
            await reached(lambda: slow.peek(1) is not None)
        assert await slow(1) == 1

    run(main)
    assert len(runs) == (1 if on_cancel == "continue" else 2)


def test_calls_are_collected(run):
    shop, asked = Cache(), []

    @shop.batch(collect="10ms")
    async def doubles(ids: list[int]) -> dict[int, int]:
        asked.append(sorted(ids))
        await anyio.sleep(0)
        return {id: 2 * id for id in ids}

    async def main():
        assert await together([lambda n=n: doubles.load(n) for n in range(10)]) == [2 * n for n in range(10)]

    run(main)
    assert asked == [list(range(10))]


def test_generators_are_replayed(run, shop):
    runs = []

    @shop(name="numbers")
    async def numbers(end: int) -> list[int]:
        runs.append(end)
        await anyio.sleep(0)
        return list(range(end))

    @shop(name="count")
    async def count(end: int):
        runs.append(end)
        for n in range(end):
            await anyio.sleep(0)
            yield n

    async def main():
        for _ in range(2):
            assert [n async for n in count(4)] == await numbers(4) == [0, 1, 2, 3]

    run(main)
    assert runs == [4, 4]


def test_a_lock_is_its_tasks(run, shop):
    inside = 0

    async def one():
        nonlocal inside
        async with shop.lock("nightly"):
            inside += 1
            assert inside == 1
            await anyio.sleep(0.002)
            inside -= 1

    run(together, [one] * 4)


def test_loops_that_are_closed_leave_nothing_behind(run, shop):

    @shop(name="double")
    async def double(x: int) -> int:
        await anyio.sleep(0)
        return 2 * x

    async def main(first):
        assert await together([lambda n=n: double(n) for n in range(first, first + 5)]) == [
            2 * n for n in range(first, first + 5)
        ]

    async def leaving(first):
        # The run ends while others still wait for the store.
        async with anyio.create_task_group() as group:
            for n in range(5):
                group.start_soon(double, first + n)
            await anyio.sleep(0)
            group.cancel_scope.cancel()

    run(main, 0)
    gc.collect()
    before = descriptors()
    for n in range(1, 20):
        run(main, 100 * n)
        run(leaving, 100 * n + 50)
    # One bell may be left, and it is let go of by the next.
    gc.collect()
    assert descriptors() <= before + 4


def descriptors():
    if not sys.platform.startswith("linux"):
        return 0
    return len(os.listdir("/proc/self/fd"))


def test_runs_in_threads_wait_each_for_itself(run, shop):
    failures = []

    @shop(name="double")
    async def double(x: int) -> int:
        await anyio.sleep(0)
        return 2 * x

    async def main():
        for start in range(0, 40, 10):
            calls = [lambda n=n: double(n) for n in range(start, start + 10)]
            assert await together(calls) == [2 * n for n in range(start, start + 10)]

    def work():
        try:
            run(main)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    # Followers of one process and, on stores, its lease: each key once.
    assert double.stats().computations == 40


def test_trio_as_a_guest_of_asyncio(shop):
    runs = []

    @shop(name="double")
    async def double(x: int) -> int:
        runs.append(x)
        await anyio.sleep(0.01)
        return 2 * x

    async def guest():
        return await together([lambda: double(3)] * 5)

    async def main():
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=lambda outcome: ended.set_result(outcome),
        )
        got = await asyncio.gather(*(double(3) for _ in range(5)))
        return got, (await ended).unwrap()

    assert asyncio.run(main()) == ([6] * 5, [6] * 5)
    assert runs == [3]

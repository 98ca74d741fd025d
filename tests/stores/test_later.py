"""Stores that answer later, as those behind a connection do: who waits is woken, and holds up nobody else."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from everwarm import Cache
from everwarm.testing import chaos, open_store

pytestmark = pytest.mark.timeout(60)

DELAY = 0.05


@pytest.fixture
def far():
    """A cache whose only tier answers each question after a while."""
    cache = far_cache()
    yield cache
    cache.close()


def far_cache(place="memory://", delay=DELAY, **keywords):
    return Cache([chaos(place, seed=1, delay=1.0, delay_by=delay)], namespace="shop", **keywords)


def test_tasks_of_a_loop_wait_side_by_side(far):
    @far(name="double")
    async def double(x: int) -> int:
        return 2 * x

    async def main():
        begun = time.monotonic()
        assert await asyncio.gather(*map(double, range(40))) == [2 * x for x in range(40)]
        return time.monotonic() - begun

    alone = asyncio.run(_timed(double(1_000)))
    assert alone >= DELAY
    # One after the other they would take forty times as long.
    assert asyncio.run(main()) < 10 * alone


async def _timed(call):
    begun = time.monotonic()
    await call
    return time.monotonic() - begun


def test_the_loop_goes_on_meanwhile():
    delay = 8 * DELAY  # a loaded machine is slow at times
    far = far_cache(delay=delay)

    @far(name="double")
    async def double(x: int) -> int:
        return 2 * x

    longest = 0.0

    async def watch():
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - before)

    async def main():
        watching = asyncio.ensure_future(watch())
        assert await double(3) == 6  # a miss, which is stored
        assert await double(3) == 6  # a hit behind memory
        watching.cancel()

    asyncio.run(main())
    assert far.stats().computations == 1
    # A loop that waits for the store stands still for all of a delay; a loaded machine holds it for a part.
    assert longest < 0.9 * delay
    far.close()


@pytest.mark.parametrize("memory", [False, True])
def test_threads_and_tasks_are_given_what_the_store_has(memory):
    place = open_store("memory://")

    def another():
        tiers = [chaos(place, seed=1, delay=1.0, delay_by="5ms")]
        return Cache(["memory://", *tiers] if memory else tiers, namespace="shop")

    one, other = another(), another()

    @one(name="double")
    def double(x: int) -> int:
        return 2 * x

    @other(name="double")
    async def double_later(x: int) -> int:
        raise AssertionError("it is there")

    assert double(4) == 8
    assert double.call(4).status == "hit"
    assert asyncio.run(double_later(4)) == 8
    one.close()
    other.close()


def test_a_batch_waits_once_for_all(far):
    @far.batch(name="doubles")
    async def doubles(ids: list[int]) -> dict[int, int]:
        return {x: 2 * x for x in ids}

    ids = list(range(30))
    assert asyncio.run(doubles(ids)) == [2 * x for x in ids]
    assert asyncio.run(doubles(ids)) == [2 * x for x in ids]
    assert far.stats().computations == 30


@pytest.mark.parametrize("ended", ["asked", "stored"])
def test_whoever_is_cancelled_leaves_the_others_a_value(far, ended):
    computed = asyncio.Event() if ended == "stored" else None
    runs = []

    @far(name="double")
    async def double(x: int) -> int:
        runs.append(x)
        if computed is not None:
            computed.set()
        return 2 * x

    async def main():
        leader = asyncio.ensure_future(double(5))
        await asyncio.sleep(0)
        follower = asyncio.ensure_future(double(5))
        await (computed.wait() if computed is not None else asyncio.sleep(0))
        await asyncio.sleep(0)
        leader.cancel()
        assert await follower == 10
        with pytest.raises(asyncio.CancelledError):
            await leader

    asyncio.run(main())
    assert 1 <= len(runs) <= 2


def test_a_loop_that_is_closed_while_it_waits_holds_nobody_up(far):
    @far(name="double")
    async def double(x: int) -> int:
        return 2 * x

    loop = asyncio.new_event_loop()
    task = loop.create_task(double(6))
    loop.call_later(DELAY / 5, loop.stop)
    loop.run_forever()
    assert not task.done()
    loop.close()
    assert asyncio.run(asyncio.wait_for(double(6), 20)) == 12
    task._log_destroy_pending = False
    del task
    gc.collect()


def test_loops_in_threads_wait_each_for_itself(far):
    @far(name="double")
    async def double(x: int) -> int:
        return 2 * x

    async def main(first):
        return await asyncio.gather(*(double(x) for x in range(first, first + 10)))

    got = {}

    def run(first):
        got[first] = asyncio.run(main(first), debug=True)

    threads = [threading.Thread(target=run, args=(first,)) for first in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {first: [2 * x for x in range(first, first + 10)] for first in (0, 100, 200)}


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors are counted in /proc")
def test_the_bells_of_closed_loops_are_let_go_of(far):
    @far(name="double")
    async def double(x: int) -> int:
        return 2 * x

    def descriptors():
        return len(os.listdir("/proc/self/fd"))

    asyncio.run(double(0))
    before = descriptors()
    for x in range(1, 6):
        asyncio.run(double(x))
    gc.collect()
    assert descriptors() <= before


def test_a_loop_that_reads_no_sockets_is_called():
    class Deaf(asyncio.SelectorEventLoop):
        def add_reader(self, fd, callback, *args):  # the loop's own go another way
            raise NotImplementedError

    cache = far_cache(delay="5ms")

    @cache(name="double")
    async def double(x: int) -> int:
        return 2 * x

    loop = Deaf()
    assert loop.run_until_complete(asyncio.wait_for(double(8), 20)) == 16
    loop.close()
    cache.close()


def test_uvloop():
    uvloop = pytest.importorskip("uvloop")
    cache = far_cache(delay="5ms")

    @cache(name="double")
    async def double(x: int) -> int:
        return 2 * x

    loop = uvloop.new_event_loop()
    for x in range(3):
        assert loop.run_until_complete(double(x)) == 2 * x
    loop.close()
    cache.close()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no interval timers here")
def test_a_thread_that_waits_sees_signals():
    cache = far_cache(delay="10s")

    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    former = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        begun = time.monotonic()
        with pytest.raises(Alarm):
            cache.get("a")
        assert time.monotonic() - begun < 0.6
    finally:
        signal.signal(signal.SIGALRM, former)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_that_is_forked_while_others_wait_asks_for_itself():
    script = """
    import asyncio, os, signal, threading, warnings
    from everwarm import Cache
    from everwarm.testing import chaos

    warnings.simplefilter("ignore", DeprecationWarning)
    cache = Cache([chaos("memory://", seed=1, delay=1.0, delay_by="20ms")], namespace="shop")

    @cache(name="double")
    async def double(x: int) -> int:
        return 2 * x

    @cache(name="triple")
    def triple(x: int) -> int:
        return 3 * x

    going = True

    def busy(first):
        x = first
        while going:
            x += 1
            triple(x)

    async def main():
        waiting = [asyncio.ensure_future(double(x)) for x in range(20)]
        await asyncio.sleep(0.005)
        for _ in range(5):
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                code = 1
                try:
                    asyncio._set_running_loop(None)
                    assert triple(7) == 21
                    assert asyncio.run(double(1_000)) == 2_000
                    code = 0
                finally:
                    os._exit(code)
            await asyncio.sleep(0.003)
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0, status
        assert await asyncio.gather(*waiting) == [2 * x for x in range(20)]

    threads = [threading.Thread(target=busy, args=(10_000 * n,), daemon=True) for n in (1, 2)]
    for thread in threads:
        thread.start()
    asyncio.run(main())
    going = False
    for thread in threads:
        thread.join()
    """
    code = textwrap.dedent(script)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

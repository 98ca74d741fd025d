"""Locks: one holder at a time, for as long as it lives; who lost one is told so."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time

import pytest
from everwarm import Cache, Closed, ConfigError, NotHeld, Recursion, Unsupported
from everwarm.testing import ManualClock


def elsewhere(act):
    """What ``act`` gives in another thread."""
    given = []
    thread = threading.Thread(target=lambda: given.append(act()))
    thread.start()
    thread.join(30)
    return given[0]


def test_a_lock_has_one_holder(cache, do):
    lock, other = cache.lock("nightly"), cache.lock("nightly")
    assert do(lock.acquire)
    assert not elsewhere(lambda: do(other.acquire, wait=0))
    assert do(lock.locked) and not do(other.locked)
    do(lock.release)
    assert not do(lock.locked)
    assert elsewhere(lambda: do(other.acquire, wait=0))


def test_a_lock_is_a_block(cache, do):
    lock = cache.lock("nightly")
    assert do.inside(lock, lambda held: held is lock and held.locked())
    assert not lock.locked()
    with pytest.raises(ZeroDivisionError):
        do.inside(lock, lambda held: 1 / 0)
    assert do(lock.acquire, wait=0)


def test_names_are_those_of_a_namespace(cache):
    other = Cache(clock=ManualClock(), namespace="other")
    assert cache.lock("a").acquire(wait=0)
    assert cache.lock("b").acquire(wait=0) and other.lock("a").acquire(wait=0)


def test_clear_takes_no_lock_away(cache):
    with cache.lock("nightly") as lock:
        cache.clear()
        assert lock.locked()


@pytest.mark.proves("lock.ttl")
def test_a_lock_that_is_not_renewed_ends_after_its_ttl(cache, clock, do):
    lock = cache.lock("nightly", ttl="2m")
    assert do(lock.acquire)
    clock.advance("90s")
    assert not elsewhere(lambda: cache.lock("nightly").acquire(wait=0)), "the ttl is that of the holder"
    # As if this process had been held up: nobody renews meanwhile.
    clock.advance("10m")
    assert elsewhere(lambda: cache.lock("nightly").acquire(wait=0))
    with pytest.raises(NotHeld, match="lost before it was released"):
        do(lock.release)


def test_a_lost_lock_is_told_at_the_end_of_its_block(cache, clock, do):
    def lose(held):
        clock.advance("10m")
        elsewhere(lambda: cache.lock("nightly").acquire(wait=0))
        return held

    with pytest.raises(NotHeld, match="refuse older writes"):
        do.inside(cache.lock("nightly"), lose)

    def lose_and_fail(held):
        lose(held)
        raise KeyError("its own")

    clock.advance("10m")
    with pytest.raises(KeyError):
        do.inside(cache.lock("nightly"), lose_and_fail)


def test_a_lock_is_renewed_while_it_is_held(tmp_path):
    cache = Cache(f"disk://{tmp_path}/store", namespace="shop")
    lock = cache.lock("nightly", ttl="1s")
    with lock:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert not elsewhere(lambda: cache.lock("nightly").acquire(wait=0.1))
    cache.close()


def test_a_lock_in_memory_is_renewed_by_the_sweeper():
    cache = Cache(namespace="shop")
    with cache.lock("nightly", ttl="1s") as lock:
        assert not elsewhere(lambda: cache.lock("nightly").acquire(wait=1.6))
        assert lock.locked()


def test_a_lock_that_nobody_refers_to_is_not_renewed():
    cache = Cache(namespace="shop")
    assert cache.lock("nightly", ttl="1s").acquire()
    begun = time.monotonic()
    assert cache.lock("nightly").acquire(wait=5)
    assert 0.9 < time.monotonic() - begun < 2


def test_tokens_grow(cache, clock, do):
    tokens = []
    for _ in range(3):
        do.inside(cache.lock("nightly"), lambda held: tokens.append(held.token))
        # A counter that its store has lost begins anew, above.
        clock.advance("31d")
    assert tokens == sorted(set(tokens))
    with pytest.raises(NotHeld, match="while it is held"):
        _ = cache.lock("nightly").token


@pytest.mark.proves("lock.wait")
def test_waiting_ends(cache, do, refusal):
    held = cache.lock("nightly")
    assert elsewhere(held.acquire)
    begun = time.monotonic()
    assert not do(cache.lock("nightly").acquire, wait=0.2)
    waited = time.monotonic() - begun
    assert 0.2 <= waited < 2
    assert "not free in time" in refusal(lambda: do.inside(cache.lock("nightly", wait="0.2s"), print))


def test_waiters_take_turns(cache, do):
    inside, together = [], []

    def work():
        def body(held):
            inside.append(held.token)
            together.append(len(inside))
            time.sleep(0.001)
            inside.clear()

        do.inside(cache.lock("nightly"), body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert together == [1] * 8


def test_a_lock_is_not_taken_twice(cache):
    with cache.lock("nightly"):
        with pytest.raises(Recursion, match="already"):
            cache.lock("nightly").acquire()
        with cache.lock("other"):
            pass
    with cache.lock("nightly"):
        pass

    async def main():
        async with cache.lock("nightly"):
            with pytest.raises(Recursion):
                await cache.lock("nightly").aacquire()
            task = asyncio.create_task(cache.lock("nightly").aacquire(wait=0))
            assert not await task, "another task waits, as another thread does"

    asyncio.run(main())


def test_a_task_that_is_cancelled_while_it_waits_holds_nothing(cache):
    async def main():
        held = cache.lock("nightly")
        await held.aacquire()
        waiter = asyncio.create_task(cache.lock("nightly").aacquire())
        await asyncio.sleep(0.02)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        held.release()
        assert await cache.lock("nightly").aacquire(wait=0)

    asyncio.run(main())


def test_a_loop_runs_on_while_a_task_waits(cache):
    async def main():
        held, order = cache.lock("nightly"), []
        await held.aacquire()

        async def wait():
            async with cache.lock("nightly"):
                order.append("held")

        waiter = asyncio.create_task(wait())
        await asyncio.sleep(0.02)
        order.append("released")
        held.release()
        await waiter
        assert order == ["released", "held"]

    asyncio.run(main())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no such signals")
def test_a_waiter_sees_signals(cache):
    held = cache.lock("nightly")
    assert elsewhere(held.acquire)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    begun = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            cache.lock("nightly").acquire()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - begun < 0.25


def test_releasing_what_is_not_held_is_an_error(cache, do):
    lock = cache.lock("nightly")
    with pytest.raises(NotHeld, match="does not hold it") as raised:
        do(lock.release)
    assert isinstance(raised.value, RuntimeError) and "\nhint: " in str(raised.value)
    do.inside(lock, lambda held: None)
    with pytest.raises(NotHeld):
        do(lock.release)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_the_child_of_a_fork_does_not_hold_its_parents_lock(cache):
    lock = cache.lock("nightly")
    lock.acquire()
    child = os.fork()
    if not child:
        code = 1
        try:
            lock.release()
        except NotHeld as error:
            code = 0 if "forked from" in str(error) else 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lock.locked()
    lock.release()


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_name_is_a_text(cache, name):
    for make in (
        cache.lock,
        lambda name: cache.semaphore(name, 1),
        lambda name: cache.limiter(name, rate="1/s"),
    ):
        with pytest.raises(ConfigError, match="is a text"):
            make(name)


def test_ttls_that_cannot_be_kept_are_refused(cache):
    with pytest.raises(ConfigError, match="renewed in time"):
        cache.lock("nightly", ttl="500ms")
    with pytest.raises(ConfigError, match="without an end"):
        cache.lock("nightly", ttl=None)
    with pytest.raises(ConfigError):
        cache.lock("nightly", wait=-1)


class Plain:
    """A store without facets."""

    def __init__(self):
        self.entries = {}

    def get(self, name):
        return self.entries.get(name)

    def set(self, name, data, ttl):
        self.entries[name] = (data, ttl)

    def delete(self, name):
        return self.entries.pop(name, None) is not None

    def clear(self, prefix):
        self.entries.clear()


def test_a_store_that_cannot_is_refused_when_the_primitive_is_made():
    cache = Cache([Plain()], namespace="shop")
    with pytest.raises(Unsupported, match="a lock needs leases"):
        cache.lock("nightly")
    with pytest.raises(Unsupported, match="a semaphore needs leases"):
        cache.semaphore("nightly", 2)
    with pytest.raises(Unsupported, match="a limiter needs conditional writes"):
        cache.limiter("api", rate="1/s")


def test_a_closed_cache_gives_no_permits():
    cache = Cache(namespace="shop")
    lock, limiter = cache.lock("nightly"), cache.limiter("api", rate="1/s")
    cache.close()
    for ask in (lock.acquire, limiter.try_acquire, lambda: cache.lock("nightly")):
        with pytest.raises(Closed):
            ask()

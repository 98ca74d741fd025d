"""Time limits: callers leave in time, computations go on, and late values are stored if they are valid."""

from __future__ import annotations

import asyncio
import signal
import threading

import pytest
from everwarm import Cache, ConfigError, Timeout, background_stats
from everwarm.testing import ManualClock
from worlds import PATIENCE, Gate, Loops, Threads, adds_up, crowd, until


def held(world, cache, **policy):
    """A function that computes no sooner than its gate is opened."""
    gate = Gate()

    @world.cached(cache(**policy))
    def load(key):
        yield gate
        return [key]

    return load, gate


@pytest.mark.proves("Policy.hard_timeout")
def test_a_call_ends_in_time_and_the_late_value_is_stored(world):
    load, gate = held(world, Cache(), hard_timeout=0.05)
    call = world.start(load, 1)
    gate.is_reached()
    with (
        ends_in_time(gate),
        pytest.raises(Timeout, match=r"load took longer than its hard_timeout(.|\n)*hint:"),
    ):
        call.result(PATIENCE)
    until(lambda: load.peek(1) is not None)
    assert world.call(load, 1) == [1]
    assert adds_up(load, 2).computations == 1


class ends_in_time:
    """Opens the gate afterwards, so that a call which was held by it fails its test instead of hanging."""

    def __init__(self, gate):
        self.gate = gate
        self.timer = threading.Timer(5, gate.open)

    def __enter__(self):
        self.timer.start()

    def __exit__(self, *_):
        self.timer.cancel()
        self.gate.open()


def test_a_timeout_is_the_builtin_one(world):
    load, gate = held(world, Cache(), hard_timeout="20ms")
    with ends_in_time(gate), pytest.raises(TimeoutError):
        world.call(load, 1)


def test_what_is_in_time_comes_as_it_does_without_a_limit(world):
    cache = Cache()

    @world.cached(cache(hard_timeout=20))
    def load(key):
        if key < 0:
            raise LookupError(key)
        return [key]

    first = world.call(load, 1)
    assert first == [1] and world.call(load, 1) is first
    with pytest.raises(LookupError, match="-1"):
        world.call(load, -1)
    stats = adds_up(load, 3)
    assert (stats.computations, stats.hits) == (2, 1)


@pytest.mark.proves("Policy.on_timeout")
def test_a_late_value_that_is_to_be_discarded_is_not_stored(world):
    load, gate = held(world, Cache(), hard_timeout=0.05, on_timeout="discard")
    with ends_in_time(gate), pytest.raises(Timeout):
        world.call(load, 1)
    until(lambda: not load.explain(1).status == "follower")
    assert load.peek(1) is None


def test_a_late_value_that_was_invalidated_is_not_stored(world):
    load, gate = held(world, Cache(), hard_timeout=0.05)
    with pytest.raises(Timeout):
        world.call(load, 1)
    load.invalidate(1)
    before = background_stats().done
    gate.open()
    until(lambda: background_stats().done > before)
    assert load.peek(1) is None


def test_a_follower_leaves_in_time_too_and_nobody_computes_beside(world):
    load, gate = held(world, Cache(), hard_timeout=0.1)
    calls = crowd(world, load, 5, 1)
    for call in calls:
        with pytest.raises(Timeout):
            call.result(PATIENCE)
    # Whoever comes now follows the computation that goes on.
    late = world.start(load, 1)
    until(lambda: load.stats().misses == 6)
    gate.open()
    assert late.result(PATIENCE) == [1]
    stats = adds_up(load, 6)
    assert (stats.computations, stats.takeovers) == (1, 0)


def test_the_error_of_a_late_computation_is_told_also_if_the_old_value_was_served(world):
    told, gate, clock = [], Gate(), ManualClock()
    cache = Cache(on_background_error=told.append, clock=clock)
    calls = []

    @world.cached(cache(ttl=10, stale_if_error=100, soft_timeout=0.05))
    def load(key):
        calls.append(key)
        if len(calls) == 1:
            return "old"
        yield gate
        raise LookupError(key)

    assert world.call(load, 1) == "old"
    clock.advance(11)
    with ends_in_time(gate):
        assert world.call(load, 1) == "old"
        assert told == []
    until(lambda: told)
    assert [repr(error) for error in told] == ["LookupError(1)"]
    # A call that left is counted once.
    stats = adds_up(load, 2)
    assert (stats.misses, stats.stale, stats.computations) == (1, 1, 2)


def test_the_error_of_a_late_computation_is_told_to_the_listener(world):
    told, gate = [], Gate()
    cache = Cache(on_background_error=told.append)

    @world.cached(cache(hard_timeout=0.05))
    def load(key):
        yield gate
        raise LookupError(key)

    with pytest.raises(Timeout):
        world.call(load, 1)
    assert told == []
    gate.open()
    until(lambda: told)
    assert [repr(error) for error in told] == ["LookupError(1)"]
    assert load.peek(1) is None


def test_the_context_of_the_caller_is_copied(world):
    from contextvars import ContextVar

    who = ContextVar("who", default="nobody")
    cache = Cache()

    @world.cached(cache(hard_timeout=20))
    def load(key):
        return who.get()

    who.set("Ada")
    if isinstance(world, Threads):
        assert load(1) == "Ada"
    else:

        async def call():
            who.set("Ada")
            return await load(1)

        assert world.run(call).result(PATIENCE) == "Ada"


def test_a_call_within_its_own_computation_is_refused(world):
    from everwarm import Recursion

    cache = Cache()
    if world.is_async:

        @cache(hard_timeout=20)
        async def load(key):
            return await load(key)

    else:

        @cache(hard_timeout=20)
        def load(key):
            return load(key)

    with pytest.raises(Recursion):
        world.call(load, 1)


def test_nested_limits_do_not_use_the_pool_up():
    cache = Cache()

    @cache(hard_timeout=20)
    def count(key, depth):
        return depth and 1 + count(key, depth - 1)

    world = Threads()
    calls = [world.start(count, key, 60) for key in range(5)]
    assert [call.result(PATIENCE) for call in calls] == [60] * 5


def test_get_or_compute_keeps_to_the_policy_of_its_cache():
    from everwarm import Policy

    cache, gate = Cache(policy=Policy(hard_timeout=0.05)), Gate()
    with ends_in_time(gate), pytest.raises(Timeout, match="get_or_compute took longer"):
        cache.get_or_compute("a", lambda: (gate.pass_as_thread(), 7)[1])
    until(lambda: cache.get("a") == 7)
    assert cache.get_or_compute("b", lambda: 8) == 8

    async def later():
        with pytest.raises(Timeout):
            await cache.aget_or_compute("c", waits.pass_as_task)

    waits = Gate()
    world = Loops(1)
    world.run(later).result(PATIENCE)
    waits.open()
    until(lambda: "c" in cache)
    world.close()


def test_a_signal_ends_the_wait_and_the_computation_goes_on():
    cache, gate = Cache(), Gate()

    @cache(hard_timeout=60)
    def load(key):
        gate.pass_as_thread()
        return [key]

    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        load(1)
    timer.join()
    gate.open()
    until(lambda: load.peek(1) is not None)


@pytest.mark.proves("Policy.wait_timeout")
def test_a_wait_that_takes_too_long_takes_over(world):
    cache, gates, computed = Cache(), [Gate(), Gate()], []
    gates[1].open()

    @world.cached(cache(wait_timeout=0.05))
    def load(key):
        computed.append(key)
        turn = len(computed) - 1
        yield gates[turn]
        return turn

    first = world.start(load, 1)
    gates[0].is_reached()
    second = world.start(load, 1)
    with ends_in_time(gates[0]):
        assert second.result(PATIENCE) == 1
    assert first.result(PATIENCE) == 0
    assert load.peek(1).value == 1
    stats = adds_up(load, 2)
    assert (stats.computations, stats.followers, stats.takeovers) == (2, 1, 1)


def test_a_cancelled_caller_takes_its_computation_with_it():
    world, cache, gate, unwound = Loops(1), Cache(), Gate(), []

    @cache(hard_timeout=60)
    async def load(key):
        try:
            await gate.pass_as_task()
        finally:
            unwound.append(key)
        return [key]

    async def main():
        task = asyncio.ensure_future(load(1))
        while not gate.reached.is_set():
            await asyncio.sleep(0)
        follower = asyncio.ensure_future(load(1))
        while not load.stats().followers:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert unwound == [1]
        gate.open()
        assert await follower == [1]

    world.run(main).result(PATIENCE)
    assert load.stats().computations == 2
    world.close()


def test_a_caller_that_is_cancelled_at_once_hands_over():
    world, cache = Loops(1), Cache()

    @cache(hard_timeout=60)
    async def load(key):
        return [key]

    async def main():
        task = asyncio.ensure_future(load(1))
        await asyncio.sleep(0)  # the call has begun, and its own task has not
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.wait_for(load(1), PATIENCE) == [1]

    world.run(main).result(PATIENCE)
    world.close()


@pytest.mark.proves("Policy.on_cancel")
@pytest.mark.parametrize("limit", [None, 60])
def test_the_computation_of_a_cancelled_caller_can_go_on(limit):
    world, cache, gate = Loops(1), Cache(), Gate()

    @cache(on_cancel="continue", hard_timeout=limit)
    async def load(key):
        await gate.pass_as_task()
        return [key]

    async def main():
        task = asyncio.ensure_future(load(1))
        while not gate.reached.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()
        for _ in range(1_000):
            await asyncio.sleep(0.001)
            if load.peek(1) is not None:
                break

    world.run(main).result(PATIENCE)
    assert load.peek(1) is not None, "the computation did not go on"
    assert load.stats().computations == 1
    world.close()


def test_the_computation_of_an_interrupted_thread_can_go_on():
    cache, gate = Cache(), Gate()

    @cache(on_cancel="continue")
    def load(key):
        gate.pass_as_thread()
        return [key]

    timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        load(1)
    timer.join()
    gate.open()
    until(lambda: load.peek(1) is not None)


def test_a_hundred_calls_under_a_limit(world):
    cache = Cache()

    @world.cached(cache(hard_timeout=20))
    def load(key):
        return [key]

    calls = [world.start(load, n % 50) for n in range(100)]
    assert [call.result(PATIENCE) for call in calls] == [[n % 50] for n in range(100)]
    assert adds_up(load, 100).computations == 50


def test_generators_have_no_limit():
    cache = Cache()
    for keyword in ({"hard_timeout": 1}, {"max_computations": 1}, {"on_cancel": "continue"}):
        with pytest.raises(ConfigError, match="generator(.|\n)*hint:"):

            @cache(**keyword)
            def items():
                yield 1


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("hard_timeout", 0),
        ("hard_timeout", "soon"),
        ("wait_timeout", None),
        ("wait_timeout", -1),
        ("on_timeout", "keep"),
        ("on_cancel", True),
        ("max_computations", 0),
        ("max_computations", True),
        ("max_computations", 1.5),
    ],
)
def test_what_cannot_be_meant_is_refused(keyword, value):
    with pytest.raises(ConfigError, match="\nhint: "):
        Cache()(**{keyword: value})


@pytest.mark.parametrize("most", [0, -1, True, "8"])
def test_a_cache_refuses_it_too(most):
    with pytest.raises(ConfigError, match="max_computations(.|\n)*hint: "):
        Cache(max_computations=most)


@pytest.mark.proves("using.hard_timeout")
def test_one_call_may_be_given_less_time(world):
    load, gate = held(world, Cache())
    with ends_in_time(gate), pytest.raises(Timeout, match="hard_timeout of 0.05 s"):
        world.call(load.using(hard_timeout=0.05), 1)
    until(lambda: load.peek(1) is not None)
    assert world.call(load, 1) == [1]


@pytest.mark.proves("using.wait_timeout")
def test_one_call_may_wait_less(world):
    cache, gates, computed = Cache(), [Gate(), Gate()], []
    gates[1].open()

    @world.cached(cache)
    def load(key):
        computed.append(key)
        turn = len(computed) - 1
        yield gates[turn]
        return turn

    first = world.start(load, 1)
    gates[0].is_reached()
    with ends_in_time(gates[0]):
        assert world.start(load.using(wait_timeout=0.05), 1).result(PATIENCE) == 1
    assert first.result(PATIENCE) == 0
    assert load.stats().takeovers == 1


def test_a_described_call_is_under_a_limit_too(world):
    load, gate = held(world, Cache())
    with ends_in_time(gate), pytest.raises(Timeout):
        world.call(load.using(hard_timeout=0.05).call, 1)
    until(lambda: load.peek(1) is not None)
    assert world.call(load.using(hard_timeout=5).call, 2).status == "miss"


def test_a_call_past_the_cache_is_under_no_limit():
    with pytest.raises(ConfigError, match="past the cache(.|\n)*hint: "):
        Cache()(lambda: 1).using(skip=True, hard_timeout=1)

"""Limiters: never more than allowed, and what is refused is granted when it says."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from everwarm import Cache, ConfigError, Timeout
from everwarm.testing import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st


def drain(do, limiter, **keywords):
    """How many single permits are granted at once."""
    count = 0
    while do(limiter.try_acquire, **keywords):
        count += 1
    return count


@pytest.mark.proves("limiter.rate")
def test_a_bucket_fills_evenly(cache, clock, do):
    api = cache.limiter("api", rate="60/1m")
    assert drain(do, api) == 60
    refused = do(api.try_acquire, 5)
    assert (refused.allowed, refused.remaining, round(refused.retry_after, 3)) == (False, 0, 5.0)
    clock.advance(5)
    assert do(api.try_acquire, 5).remaining == 0
    clock.advance("1h")
    assert drain(do, api) == 60


@pytest.mark.proves("limiter.burst")
def test_a_burst_is_what_a_bucket_holds(cache, clock, do):
    api = cache.limiter("api", rate="60/1m", burst=5)
    assert drain(do, api) == 5
    clock.advance(2)
    assert drain(do, api) == 2


@pytest.mark.proves("limiter.kind")
def test_a_fixed_window_begins_anew(cache, clock, do):
    api = cache.limiter("api", rate="3/10s", kind="fixed_window")
    assert drain(do, api) == 3
    clock.advance(9)
    assert do(api.try_acquire).retry_after == pytest.approx(1)
    clock.advance(1)
    assert drain(do, api) == 3


def test_a_sliding_window_has_no_edge(cache, clock, do):
    api = cache.limiter("api", rate="3/10s", kind="sliding_window")
    assert do(api.try_acquire)
    clock.advance(6)
    assert drain(do, api) == 2
    clock.advance(4)
    assert drain(do, api) == 1, "the two of the sixth second count until the sixteenth"
    clock.advance(6)
    assert drain(do, api) == 2


def test_keys_are_counted_by_themselves(cache, do):
    api = cache.limiter("api", rate="2/1m")
    assert drain(do, api, key="ada") == 2
    assert drain(do, api, key=("bob", 1)) == 2
    assert drain(do, api) == 2


def test_permits_are_had_together_or_not_at_all(cache, do):
    api = cache.limiter("api", rate="5/1m")
    assert do(api.try_acquire, n=3).remaining == 2
    assert not do(api.try_acquire, n=3)
    assert do(api.try_acquire, n=2).remaining == 0


def test_limiters_of_one_name_count_together(cache, do):
    assert drain(do, cache.limiter("api", rate="4/1m")) == 4
    assert not do(cache.limiter("api", rate="4/1m").try_acquire)
    assert do(cache.limiter("api", rate="5/1m").try_acquire), "another rate counts anew"


def test_clear_forgets_no_permits(cache, do):
    api = cache.limiter("api", rate="2/1m")
    assert drain(do, api) == 2
    cache.clear()
    assert not do(api.try_acquire)


@pytest.mark.proves("limiter.wait")
def test_waiting_ends_at_once_if_it_would_be_in_vain(cache, do, refusal):
    api = cache.limiter("api", rate="1/1h", wait="1s")
    assert do(api.acquire)
    begun = time.monotonic()
    assert "no permit in time" in refusal(lambda: do.inside(api, print))
    assert not do(api.acquire)
    assert time.monotonic() - begun < 0.5


def test_who_waits_is_granted_in_time(do):
    api = Cache().limiter("api", rate="20/1s", burst=1)
    begun = time.monotonic()
    for _ in range(5):
        do.inside(api, lambda held: None)
    assert 0.15 < time.monotonic() - begun < 2


def test_who_waits_sees_a_tests_clock(clock):
    api = Cache(clock=clock).limiter("api", rate="1/1h")
    assert api.acquire()
    waiter = threading.Thread(target=api.acquire)
    waiter.start()
    clock.advance("1h")
    waiter.join(10)
    assert not waiter.is_alive()


def test_a_decorated_function_waits_for_each_call(clock):
    api = Cache(clock=clock).limiter("api", rate="2/1h", wait=0)

    @api
    def call(x: int) -> int:
        """Calls."""
        return x

    @api
    async def acall(x: int) -> int:
        return -x

    assert (call(1), asyncio.run(acall(2)), call.__doc__) == (1, -2, "Calls.")
    for again in (lambda: call(3), lambda: asyncio.run(acall(3))):
        with pytest.raises(Timeout):
            again()
    with pytest.raises(ConfigError, match="decorates functions"):
        api(3)


@given(
    kind=st.sampled_from(["token_bucket", "fixed_window", "sliding_window"]),
    steps=st.lists(st.tuples(st.sampled_from([0, 0.25, 1, 3, 7]), st.integers(1, 4)), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_never_more_than_allowed_in_any_window(kind, steps):
    clock = ManualClock()
    api = Cache(clock=clock).limiter("api", rate="4/5s", kind=kind)
    granted, window = [], []
    for later, n in steps:
        if later:
            clock.advance(later)
        if not api.try_acquire(n):
            continue
        granted += [clock.now] * n
        if not window or clock.now - window[0] >= 5:
            window = []
        window += [clock.now] * n
        recent = [at for at in granted if clock.now - at < 5]
        assert len(window if kind == "fixed_window" else recent) <= (8 if kind == "token_bucket" else 4)


def test_threads_together_get_no_more_than_allowed(cache):
    granted = []

    def ask():
        api = cache.limiter("api", rate="50/1h")
        granted.extend(1 for _ in range(30) if api.try_acquire())

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(granted) == 50


@pytest.mark.parametrize("rate", ["", "100", "100/", "0/1m", "1.5/1m", "100/1 m", "100/60"])
def test_rates_that_cannot_be_meant_are_refused(cache, rate):
    with pytest.raises(ConfigError, match="100/1m"):
        cache.limiter("api", rate=rate)


def test_what_cannot_be_meant_is_refused(cache):
    for said in (
        {"rate": 100},
        {"kind": "leaky"},
        {"kind": "fixed_window", "burst": 3},
        {"burst": 0},
        {"burst": 1.5},
    ):
        with pytest.raises(ConfigError, match="\nhint: "):
            cache.limiter("api", **{"rate": "5/1s", **said})
    api = cache.limiter("api", rate="5/1s")
    with pytest.raises(ConfigError, match="never granted at once"):
        api.try_acquire(6)
    for n in (0, -1, True, 1.0):
        with pytest.raises(ConfigError, match="whole number"):
            api.acquire(n)

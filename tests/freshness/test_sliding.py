"""Lives that reads lengthen: in memory, in stores, of functions and of a cache's own entries."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache, ConfigError, Policy, Unsupported
from worlds import until

SLIDING = {"ttl": 10, "sliding": 0.5, "sliding_max_age": 25}


@pytest.fixture
def session(world, cache, source):
    @world.cached(cache(**SLIDING))
    def session(user):
        return source(user)

    assert world.call(session, "a") == 1
    return session


def left(function):
    return function.peek("a").ttl


def test_an_entry_that_is_read_lives_on(world, session, clock):
    for _ in range(3):
        clock.advance(6)
        assert world.call(session, "a") == 1
    assert (left(session), session.peek("a").age) == (7, 18)
    assert (session.stats().hits, session.stats().misses) == (3, 1)


def test_a_read_before_the_threshold_changes_nothing(world, session, clock):
    clock.advance(4)
    assert world.call(session, "a") == 1
    assert left(session) == 6
    clock.advance(1)
    assert world.call(session, "a") == 1
    assert left(session) == 10


def test_what_is_not_read_expires(world, session, clock):
    clock.advance(10)
    assert session.peek("a") is None
    assert world.call(session, "a") == 2


def test_looking_lengthens_nothing(session, clock):
    clock.advance(9)
    assert left(session) == 1
    assert session.explain("a").reason == "fresh"
    assert left(session) == 1


@pytest.mark.proves("Policy.sliding_max_age")
def test_nothing_lives_for_ever(world, session, clock):
    for _ in range(4):
        clock.advance(6)
        assert world.call(session, "a") == 1
    assert left(session) == 1
    clock.advance(1)
    assert world.call(session, "a") == 2
    assert left(session) == 10


def test_what_is_invalidated_is_gone_however_often_it_was_read(world, session, clock):
    clock.advance(6)
    assert world.call(session, "a") == 1
    session.invalidate("a")
    assert world.call(session, "a") == 2
    clock.advance(6)
    session.clear()
    assert world.call(session, "a") == 3


def test_what_is_marked_stale_is_computed(world, session, clock):
    clock.advance(6)
    session.mark_stale("a")
    assert world.call(session, "a") == 2


def test_windows_come_after_the_longer_life(world, cache, clock, source):
    @world.cached(cache(**SLIDING, stale_if_error=20))
    def session(user):
        return source(user)

    assert world.call(session, "a") == 1
    clock.advance(9)
    assert world.call(session, "a") == 1
    clock.advance(30)
    source.error = ValueError("no")
    with pytest.raises(ValueError):
        world.call(session, "a")
    source.error = None
    assert world.call(session, "a") == 3
    clock.advance(9)
    assert world.call(session, "a") == 3
    clock.advance(29)
    source.error = ValueError("no")
    assert world.call(session, "a") == 3


@pytest.mark.proves("Policy.sliding")
def test_a_ttl_of_its_own_slides(world, cache, clock, source):
    @world.cached(cache(ttl=lambda result: 4, sliding=True))
    def session(user):
        return source(user)

    for _ in range(5):
        assert world.call(session, "a") == 1
        clock.advance(3)
    assert left(session) == 1


def test_sliding_is_half_of_the_ttl_and_thirty_days_if_nothing_is_said(world, cache, clock, source):
    @world.cached(cache(ttl="10d", sliding=True))
    def session(user):
        return source(user)

    day = 86_400
    assert world.call(session, "a") == 1
    clock.advance(4 * day)
    assert world.call(session, "a") == 1
    assert left(session) == 6 * day
    for _ in range(4):
        clock.advance(5 * day)
        assert world.call(session, "a") == 1
    assert left(session) == 6 * day
    clock.advance(6 * day)
    assert session.peek("a") is None


def test_the_entries_of_a_cache_slide_too(clock):
    shop = Cache(clock=clock, policy=Policy(**SLIDING))
    shop.set("a", 1)
    for _ in range(2):
        clock.advance(6)
        assert shop.get("a") == 1
    assert (shop.ttl("a"), shop.get_with_meta("a").age) == (10, 12)
    assert shop.get_or_compute("a", lambda: 2) == 1
    assert shop.stats().misses == 0
    # What is dated by hand has that ttl and no other.
    assert shop.expire("a", 5)
    clock.advance(4)
    assert shop.get("a") == 1 and shop.ttl("a") == 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"sliding": True}, "sliding does nothing without a ttl"),
        ({"ttl": 10, "sliding": 1.0}, "no fraction"),
        ({"ttl": 10, "sliding": 0}, "no fraction"),
        ({"ttl": 10, "sliding": "half"}, "True, False or a fraction"),
        ({"ttl": 10, "sliding": True, "sliding_max_age": 10}, "no longer than the ttl"),
        ({"ttl": 10, "sliding": True, "sliding_max_age": None}, "no duration"),
        ({"ttl": 10, "sliding_max_age": "1h"}, "does nothing without sliding"),
        ({"ttl": 10, "sliding": True, "refresh_ahead": 0.5}, "refresh_ahead or refresh_every replaces"),
    ],
)
def test_what_cannot_be_meant_is_refused(keywords, message):
    with pytest.raises(ConfigError, match=message) as refused:
        Policy(ttl=keywords.pop("ttl", None), **keywords)
    assert "\nhint: " in str(refused.value)


# Stores have clocks of their own.
SHORT = Policy(ttl=0.6, sliding=0.7, name="session")


@pytest.fixture
def processes(tmp_path):
    """Two caches on one directory, each as if of a process."""
    made = [Cache(["memory://", f"disk://{tmp_path}/store"], namespace="shop") for _ in range(2)]
    yield made
    for cache in made:
        cache.close()


@pytest.mark.proves("Policy.sliding")
def test_a_read_lengthens_the_life_in_the_store(world, processes, source):
    def of(cache):
        @world.cached(cache(SHORT))
        def session(user):
            return source(user)

        return session

    one, other = map(of, processes)
    began = time.monotonic()
    assert world.call(one, "a") == 1
    while time.monotonic() - began < 1.2:
        time.sleep(0.1)
        assert world.call(one, "a") == 1
    found = other.peek("a")
    assert found.value == 1 and found.age > 1.1 and found.ttl > 0.05
    assert world.call(other, "a") == 1
    one.invalidate("a")
    until(lambda: world.call(other, "a") == 2)


def test_windows_in_a_store_come_after_the_longer_life(world, processes, source):
    @world.cached(processes[0](SHORT.replace(ttl=0.3, stale_if_error=60)))
    def session(user):
        return source(user)

    assert world.call(session, "a") == 1
    time.sleep(0.2)
    assert world.call(session, "a") == 1
    time.sleep(0.4)
    source.error = ValueError("no")
    for _ in range(3):
        assert world.call(session, "a") == 1
    assert source.asked == 2


def test_a_store_lengthens_no_more_than_it_has_to(processes):
    @processes[0](SHORT.replace(ttl=60))
    def session(user):
        return user

    for _ in range(20):
        session("a")
    (tier,) = processes[0].tiers()
    assert tier.sets == 1


def test_entries_of_a_cache_slide_in_a_store(tmp_path):
    with Cache([f"disk://{tmp_path}/store"], policy=SHORT.replace(name=None)) as shop:
        shop.set("a", 1)
        began = time.monotonic()
        while time.monotonic() - began < 1.2:
            time.sleep(0.1)
            assert shop.get("a") == 1
            assert shop.get_many(["a"]) == {"a": 1}
        shop.delete("a")
        assert shop.get("a") is None


def test_a_store_that_cannot_change_entries_refuses_it():
    class Plain:
        """A store that gets, sets, deletes and clears, and no more."""

        def __init__(self):
            self.there = {}

        def get(self, name):
            return self.there.get(name)

        def set(self, name, data, ttl):
            self.there[name] = (data, ttl)

        def delete(self, name):
            return self.there.pop(name, None) is not None

        def clear(self, prefix):
            self.there.clear()

    @Cache([Plain()])(ttl=10, sliding=True, name="session")
    def session(user):
        return user

    with pytest.raises(Unsupported, match="changes of entries in place"):
        session("a")

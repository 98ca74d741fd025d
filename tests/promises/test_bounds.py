"""Bounded: one bound for all that a cache holds; expired entries go without being touched."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock
from worlds import PATIENCE, Threads, until

pytestmark = pytest.mark.once


@pytest.mark.proves("Cache.max_entries")
@pytest.mark.parametrize("bound", [1, 2, 10, 100, 1_000])
def test_all_functions_and_objects_of_a_cache_share_its_bound(bound):
    cache = Cache(max_entries=bound)
    loads = [cache(lambda key, place=place: (place, key)) for place in range(3)]
    for key in range(2 * bound):
        for place, load in enumerate(loads):
            assert load(key) == (place, key)
        cache.set(key, key)
        assert cache.stats().entries <= bound
    stats = cache.stats()
    assert stats.entries + stats.evicted == 8 * bound
    assert stats.entries >= bound * 0.9, "the bound is used"
    assert (
        sum(load.stats().entries for load in loads) + sum(key in cache for key in range(2 * bound))
        == stats.entries
    )


def test_the_bound_holds_while_threads_fill_the_cache():
    cache = Cache(max_entries=200)
    loads = [cache(lambda key, place=place: key) for place in range(4)]
    most = []

    def fill(load):
        for key in range(2_000):
            load(key)
            if key % 50 == 0:
                most.append(cache.stats().entries)

    world = Threads()
    for future in [world.run(lambda load=load: fill(load)) for load in loads]:
        future.result(PATIENCE)
    assert cache.stats().entries <= 200
    # An entry is counted before it takes the place of another, one per thread at a time.
    assert max(most) <= 200 + 4


def test_what_is_asked_for_again_stays():
    cache = Cache(max_entries=100)
    load = cache(lambda key: object())
    favourites = [load(("favourite", key)) for key in range(20)]
    for key in range(1_000):
        load(key)
        assert load(("favourite", key % 20)) is favourites[key % 20]
    assert load.stats().evicted >= 900


@pytest.mark.proves("Cache.eviction")
@pytest.mark.parametrize(
    ("eviction", "left"), [("lru", "b"), ("lfu", "c"), ("fifo", "a"), ("ttl", "d"), ("sieve", "c")]
)
def test_each_order_lets_another_entry_go(eviction, left):
    cache = Cache(max_entries=4, eviction=eviction)
    assert cache.eviction == eviction
    for key, ttl in (("a", 90), ("b", 80), ("c", 70), ("d", 60)):
        cache.set(key, key, ttl=ttl)
    for key in "abbdca":
        if eviction == "lru" or key != "c":
            cache.get(key)
    cache.set("e", "e")
    assert [key for key in "abcd" if key not in cache] == [left]


@pytest.mark.proves("Cache.eviction")
@pytest.mark.parametrize(("eviction", "least", "most"), [("adaptive", 500, 1_000), ("lru", 0, 0)])
def test_a_loop_defeats_lru_and_not_the_default(eviction, least, most):
    cache = Cache(max_entries=50, eviction=eviction)
    load = cache(lambda key: key)
    for _ in range(20):
        for key in range(75):
            load(key)
    assert least <= load.stats().hits <= most


class Value:
    """Something whose end can be seen."""


@pytest.mark.parametrize("store", ["object", "function", "prime"])
def test_sweep_lets_expired_entries_go(clock, store):
    cache = Cache(clock=clock)
    load = cache(ttl=10)(lambda key: Value())

    def keep(key):
        if store == "object":
            cache.set(key, Value(), ttl=10)
            return weakref.ref(cache.get(key))
        if store == "prime":
            load.prime(Value(), key)
        return weakref.ref(load(key))

    ends = [keep(key) for key in range(5)]
    cache.set("for ever", 1)
    clock.advance(5)
    later = keep("later")
    clock.advance(5)
    assert all(end() is not None for end in ends)
    assert cache.sweep() == 5
    gc.collect()
    assert all(end() is None for end in ends) and later() is not None
    stats = cache.stats()
    assert (stats.entries, stats.expired, cache.sweep()) == (2, 5, 0)


def test_expired_entries_leave_without_being_touched(world, cache, clock):
    """The sweeper looks once a second, rests when nothing expires any more, and is back when some does."""

    @world.cached(cache(ttl=10))
    def load(key):
        return Value()

    for _ in range(2):
        cache.set("object", Value(), ttl=10)
        load.prime(Value(), "primed")
        ends = [
            weakref.ref(world.call(load, 1)),
            weakref.ref(cache.get("object")),
            weakref.ref(world.call(load, "primed")),
        ]
        assert cache.stats().entries == 3
        clock.advance(10)
        until(lambda ends=ends: not any(end() for end in ends))
        assert cache.stats().entries == 0
    assert cache.stats().expired == 6


def test_the_sweeper_does_not_keep_a_cache():
    cache = Cache(clock=ManualClock())
    cache.set("a", 1, ttl=10)
    table = weakref.ref(cache._table)
    del cache
    until(lambda: gc.collect() >= 0 and table() is None)


def test_there_is_one_sweeper_for_all_caches():
    caches = [Cache(clock=ManualClock()) for _ in range(5)]
    for cache in caches:
        cache.set("a", 1, ttl=10)
    # One that has just been told to rest may be on its way out.
    until(lambda: sum(thread.name == "everwarm-sweeper" for thread in threading.enumerate()) == 1)

"""The cache's own entries: get, set, delete and `in`."""

from __future__ import annotations

import pytest
from everwarm import Cache


def test_a_stored_none_is_no_miss(cache):
    missing = object()
    assert cache.get("a", missing) is missing and cache.get("a") is None and "a" not in cache
    assert cache.set("a", None) is None
    assert cache.get("a", missing) is None and "a" in cache
    stats = cache.stats()
    assert (stats.hits, stats.misses, stats.calls) == (1, 2, 3)


def test_a_set_replaces_and_a_delete_says_what_was_there(cache):
    first, second = object(), object()
    cache.set("a", first)
    cache.set("a", second)
    assert cache.get("a") is second and cache.stats().entries == 1
    assert cache.delete("a") is True
    assert cache.delete("a") is False
    assert cache.get("a") is None and cache.stats().entries == 0


def test_in_counts_nothing(cache):
    cache.set("a", 1)
    assert "a" in cache and "b" not in cache
    assert cache.stats().calls == 0


@pytest.mark.parametrize(
    "keys", [(1, "1"), (None, "None"), ((1, 2), (2, 1)), ((1,), 1), (("a", "b"), "ab"), ((), None)], ids=repr
)
def test_different_keys_are_different_entries(cache, keys):
    for place, key in enumerate(keys):
        cache.set(key, place)
    assert [cache.get(key) for key in keys] == [0, 1]


def test_ttl_ends_an_entry(cache, clock):
    cache.set("a", 1, ttl="1m")
    cache.set("b", 1)
    clock.advance(59)
    assert cache.get("a") == 1
    cache.set("a", 2, ttl="1m")
    clock.advance(59)
    assert cache.get("a") == 2, "a set begins a new lifetime"
    clock.advance(1)
    assert "a" not in cache and cache.get("a") is None and cache.delete("a") is False
    assert cache.get("b") == 1


def test_objects_and_functions_do_not_meet(cache):
    load = cache(lambda key: "function")
    cache.set(1, "object")
    assert load(1) == "function" and cache.get(1) == "object"
    load.clear()
    assert cache.get(1) == "object"
    load(1)
    cache.delete(1)
    assert load.peek(1).value == "function"


def test_caches_do_not_meet():
    one, two = Cache(), Cache()
    one.set("a", 1)
    assert two.get("a") is None
    two.clear()
    assert one.get("a") == 1


def test_a_cache_shows_its_name_and_filling():
    cache = Cache(namespace="shop", max_entries=5)
    cache.set("a", 1)
    assert repr(cache) == "<everwarm.Cache 'shop': 1 of 5 entries>"

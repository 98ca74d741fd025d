"""The end of a cache: its verbs raise, its functions go on."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from everwarm import Cache, Closed

CALLS = {
    "get": ("a",),
    "set": ("a", 1),
    "add": ("a", 1),
    "replace": ("a", 1),
    "delete": ("a",),
    "exists": ("a",),
    "get_many": (["a"],),
    "set_many": ({"a": 1},),
    "delete_many": (["a"],),
    "get_with_meta": ("a",),
    "ttl": ("a",),
    "expire": ("a", 1),
    "expire_at": ("a", 1),
    "persist": ("a",),
    "touch": ("a",),
    "add_tags": ("a", "t"),
    "mark_stale": ("a",),
    "incr": ("a",),
    "decr": ("a",),
    "compare_and_set": ("a", 1, 2),
    "invalidate_tags": ("t",),
    "clear": (),
    "sweep": (),
    "flush": (),
}


class Thing:
    pass


@pytest.mark.parametrize("verb", CALLS)
def test_every_verb_raises(shop, verb):
    shop.close()
    with pytest.raises(Closed, match='the cache "shop" is closed\nhint: '):
        getattr(shop, verb)(*CALLS[verb])


def test_what_computes_and_scans_raises_too(shop):
    shop.close()
    with pytest.raises(Closed):
        shop.get_or_compute("a", shop.computing(lambda: 1))
    with pytest.raises(Closed):
        shop.scan()
    with pytest.raises(Closed):
        "a" in shop.cache  # noqa: B015 - it raises


def test_closing_twice_and_asking_is_allowed(shop):
    assert shop.ping() is True and shop.flush() is None
    shop.close()
    shop.close()
    assert shop.ping() is False and shop.cache.stats().entries == 0


def test_entries_leave(shop):
    thing = Thing()
    gone = weakref.ref(thing)
    shop.set("a", thing)
    shop.set(("a", "b"), thing)
    del thing
    shop.close()
    gc.collect()
    assert gone() is None


def test_functions_go_on_as_if_undecorated(shop):
    cache, calls = shop.cache, []

    @cache(ttl=60)
    def load(key):
        calls.append(key)
        return key

    @cache
    async def aload(key):
        calls.append(key)
        return key

    load(1), asyncio.run(_awaited(aload))
    shop.close()
    for _ in range(2):
        assert load(1) == 1 and asyncio.run(_awaited(aload)) == 1
    assert calls == [1] * 6
    assert load.call(1).status == "bypass" and load.refresh(1) == 1
    load.prime(5, 1)
    load.invalidate(1)
    load.clear()
    assert load.peek(1) is None and load(1) == 1
    for function, bypassed in ((load, 5), (aload, 2)):
        stats = function.stats()
        assert (stats.misses, stats.bypass, stats.entries) == (1, bypassed, 0)
        assert stats.calls == stats.hits + stats.misses + stats.bypass


async def _awaited(function):
    return await function(1)


def test_a_coroutine_that_began_before_ends_after():
    cache = Cache()

    @cache
    async def load(key):
        return key

    waiting = load(1)
    cache.close()
    assert asyncio.run(_given(waiting)) == 1
    assert load.stats().bypass == 1 and load.peek(1) is None


async def _given(awaitable):
    return await awaitable


def test_with_closes():
    with Cache() as cache:
        cache.set("a", 1)
        assert cache.get("a") == 1
    assert cache.ping() is False

    async def main():
        async with Cache() as cache:
            await cache.aset("a", 1)
        return cache

    assert asyncio.run(main()).ping() is False
    with pytest.raises(LookupError), Cache() as cache:
        raise LookupError
    assert cache.ping() is False


def test_every_verb_that_waits_has_a_twin(shop):
    alone = {"stats", "tiers", "what_if", "describe", "from_dict", "from_env"}
    alone |= {"batch", "invalidates", "unit_of_work", "lock", "limiter", "semaphore"}
    presets = {"minimal", "production", "dev", "test", "local", "secure"}
    settings = {"namespace", "max_entries", "max_bytes", "eviction"}
    names = {name for name in dir(Cache) if not name.startswith("_")} - presets - settings
    twins = {name for name in names if name.startswith("a") and name[1:] in names}
    assert names - twins - {name[1:] for name in twins} <= alone
    assert {"add", "add_tags"} <= {name[1:] for name in twins}

"""I19: counters tell the truth, whatever runs at the same time."""

from __future__ import annotations

import asyncio
import random

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock
from worlds import PATIENCE, Threads, adds_up

pytestmark = pytest.mark.chance

WORKERS, STEPS = 4, 2_500


def test_every_call_is_counted_once_while_everything_happens():
    clock = ManualClock()
    cache = Cache(max_entries=30, clock=clock)
    made = []

    @cache(ttl=5, when=lambda value: value % 7, tags=["key:{key}"])
    def load(key):
        made.append(key)
        if key % 11 == 10:
            raise LookupError(key)
        return key

    @cache
    async def later(key):
        made.append(key)
        await asyncio.sleep(0)
        return key

    def worker(seed):
        draw = random.Random(seed)
        calls = {"load": 0, "later": 0, "get": 0}

        def called(key):
            calls["load"] += 1
            try:
                assert load(key) == key
            except LookupError:
                assert key % 11 == 10

        async def awaited():
            keys = draw.choices(range(40), k=5)
            calls["later"] += len(keys)
            assert await asyncio.gather(*map(later, keys)) == keys

        def get(key):
            calls["get"] += 1
            assert cache.get(key, key) == key

        def refresh(key):
            if key % 11 != 10:
                calls["load"] += 1
                assert load.refresh(key) == key

        acts = (
            [called] * 20
            + [get] * 4
            + [
                refresh,
                load.invalidate,
                lambda key: load.prime(key, key),
                lambda key: cache.set(key, key, ttl=3),
                cache.delete,
                lambda key: cache.invalidate_tags(f"key:{key}"),
                lambda key: clock.advance(0.5),
                lambda key: cache.sweep(),
                lambda key: load.clear() if key == 1 else None,
                lambda key: load.peek(key),
            ]
        )
        for _ in range(STEPS):
            draw.choice(acts)(draw.randrange(40))
            if draw.random() < 0.01:
                asyncio.run(awaited())
        return calls

    world = Threads()
    futures = [world.run(lambda seed=seed: worker(seed)) for seed in range(WORKERS)]
    counted = [future.result(2 * PATIENCE) for future in futures]

    total = {name: sum(calls[name] for calls in counted) for name in ("load", "later", "get")}
    one = adds_up(load, total["load"])
    two = adds_up(later, total["later"])
    whole = cache.stats()
    assert whole.calls == total["load"] + total["later"] + total["get"]
    assert one.computations + two.computations == len(made)
    assert whole.computations == len(made) and whole.errors == 0
    assert one.followers <= one.misses and two.followers <= two.misses
    cache.sweep()
    whole = cache.stats()
    assert whole.entries <= 30
    assert whole.entries == load.stats().entries + later.stats().entries + sum(
        key in cache for key in range(40)
    )
    assert whole.hit_ratio == whole.hits / whole.calls


def test_a_functions_counters_stay_in_the_caches_when_it_goes():
    cache = Cache()
    load = cache(lambda key: key)
    load(1), load(1), load(2)
    del load
    stats = cache.stats()
    assert (stats.calls, stats.hits, stats.misses, stats.computations, stats.entries) == (3, 1, 2, 2, 0)


def test_nothing_is_counted_before_an_awaitable_is_awaited(cache):
    @cache
    async def load(key):
        return key

    async def main():
        waiting = load(1)
        assert load.stats().calls == 0
        assert await waiting == 1
        adds_up(load, 1)
        load(2).close()
        adds_up(load, 1)

    asyncio.run(main())


def test_an_error_of_the_function_is_a_miss_and_no_error_of_the_cache(world, cache):
    @world.cached(cache)
    def load(key):
        raise LookupError(key)

    for _ in range(2):
        assert isinstance(world.start(load, 1).exception(PATIENCE), LookupError)
    stats = adds_up(load, 2)
    assert (stats.misses, stats.computations, stats.errors, stats.entries) == (2, 2, 0, 0)

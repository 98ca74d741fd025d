"""From the first question on, the hit ratio at other sizes is estimated, close to what they would give."""

from __future__ import annotations

import random

import pytest
from everwarm import Cache, WhatIf

pytestmark = pytest.mark.once


def keys_of(count, lookups, seed=7):
    """Keys by Zipf's law with exponent 1."""
    draw = random.Random(seed)
    return [int(count ** draw.random()) - 1 for _ in range(lookups)]


def filled(bound, keys, world):
    cache = Cache(**bound)

    @world.cached(cache)
    def load(key):
        return bytes(key % 100)

    assert cache.what_if() == WhatIf(half=None, same=None, twice=None, lookups=0, sampled=0)
    if world.is_async:

        async def run():
            for key in keys:
                await load(key)

        world.run(run).result(60)
    else:
        for key in keys:
            load(key)
    return cache


@pytest.mark.parametrize(
    "bounds",
    [
        [{"max_entries": number} for number in (500, 1_000, 2_000)],
        [{"max_bytes": number, "max_entries": None} for number in (300_000, 600_000, 1_200_000)],
    ],
    ids=["entries", "bytes"],
)
def test_estimates_are_close_to_what_these_sizes_give(bounds, world):
    keys = keys_of(10_000, 40_000)
    half, same, twice = (filled(bound, keys, world) for bound in bounds)
    estimates = same.what_if()
    assert estimates.same == same.stats().hit_ratio
    assert estimates.lookups == 40_000 and 0 < estimates.sampled < 40_000
    # How the hash is seeded decides which keys are sampled: now and then they say less of the whole.
    assert estimates.half == pytest.approx(half.stats().hit_ratio, abs=0.07)
    assert estimates.twice == pytest.approx(twice.stats().hit_ratio, abs=0.07)
    assert estimates.half < estimates.same < estimates.twice


def test_lookups_of_objects_count():
    cache = Cache(max_entries=10, eviction="lru")
    cache.what_if()
    for _ in range(2):
        for key in range(8):
            if cache.get(key) is None:
                cache.set(key, key + 1)
    estimates = cache.what_if()
    assert (estimates.half, estimates.same, estimates.twice) == (0.0, 0.5, 0.5)
    assert (estimates.lookups, estimates.sampled) == (16, 16)


def test_before_the_first_question_nothing_is_watched():
    cache = Cache()
    cache.set("a", 1)
    cache.get("a")
    assert cache.what_if().lookups == 0
    cache.get("a")
    assert cache.what_if().lookups == 1

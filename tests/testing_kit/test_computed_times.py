"""`computed_times` counts computations inside its block, and the clock holds the default cache."""

from __future__ import annotations

import operator

import everwarm
import pytest
from everwarm import Cache
from everwarm.testing import ManualClock, clock, computed_times


def test_it_counts_computations_of_its_block(world):
    @world.cached(Cache())
    def load(key):
        return key

    world.call(load, 0)
    with computed_times(load) as times:
        assert times == 0
        for key in (0, 1, 1, 2):
            world.call(load, key)
        assert times == 2 and times.count == 2
        load.invalidate(1)
        world.call(load, 1)
        world.call(load.refresh, 1)
    world.call(load, 3)
    assert times == 4 and times != 3 and int(times) == operator.index(times) == 4
    assert repr(times) == "<load computed 4 times>" or "load computed 4 times" in repr(times)
    assert times != "4" and times == times


def test_it_counts_methods_and_can_be_used_again():
    class Shop:
        @Cache()
        def price(self, sku):
            return sku

    shop = Shop()
    times = computed_times(shop.price)
    assert times == 0
    for _ in range(2):
        with times:
            shop.price("a")
            shop.price("a")
    assert times == 0, "the second block found the entry"
    with pytest.raises(TypeError):
        hash(times)


def test_a_clock_holds_the_default_cache_before_and_after_its_first_use():
    everwarm.cache._leave()
    with clock(ManualClock()) as outer:
        assert everwarm.cache.describe()["clock"].source == "testing"
        everwarm.cache.set("a", 1, ttl=5)
        outer.advance(4)
        with clock(ManualClock()) as inner:
            everwarm.cache.set("b", 1, ttl=5)
            inner.advance(5)
            assert "b" not in everwarm.cache
        assert "a" in everwarm.cache
        outer.advance(1)
        assert "a" not in everwarm.cache
    everwarm.cache._leave()

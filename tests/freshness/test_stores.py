"""Windows over stores: caches as if of several processes, one of which computes."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache, Policy
from everwarm.testing import assert_computed, force
from worlds import Gate, until

# Stores have clocks of their own.
SHORT = Policy(ttl=0.2, stale_while_revalidate=60, stale_if_error=120, error_backoff=60)


@pytest.fixture
def processes(tmp_path):
    """Two caches on one directory, each as if of a process."""
    url = f"disk://{tmp_path}/store"
    made = [Cache(["memory://", url], namespace="shop") for _ in range(2)]
    yield made
    for cache in made:
        cache.close()


@pytest.fixture
def prices(world, processes, source):
    """One function in each."""
    gate = Gate()

    def of(cache, policy):
        @world.cached(cache(policy, name="price"))
        def price(sku):
            if source.asked and source.value == "gate":
                yield gate
                source.value = None
            return source(sku)

        price.gate = gate
        return price

    return lambda policy: [of(cache, policy) for cache in processes]


def told(world, function, *args):
    if world.is_async:
        result = world.run(lambda: function.call(*args)).result(20)
    else:
        result = function.call(*args)
    return result.status, result.value


def aged(world, prices, policy):
    one, other = prices(policy)
    assert world.call(one, "a") == 1
    time.sleep(0.25)  # the store's clock is the system's
    return one, other


def test_an_old_value_in_a_store_is_served_and_computed_anew(world, prices, source):
    _, other = aged(world, prices, SHORT)
    assert told(world, other, "a") == ("stale", 1)
    until(lambda: source.asked == 2)
    stats = other.stats()
    assert (stats.calls, stats.stale, stats.misses) == (1, 1, 0)


def test_one_process_computes_anew_and_the_other_serves(world, prices, source):
    one, other = aged(world, prices, SHORT)
    source.value = "gate"
    assert told(world, one, "a") == ("stale", 1)
    one.gate.is_reached()
    for _ in range(3):
        assert told(world, other, "a") == ("stale", 1)
    assert source.asked == 1
    one.gate.open()
    until(lambda: source.asked == 2)


def test_an_old_value_in_a_store_stands_for_an_error(world, prices, source):
    policy = SHORT.replace(stale_while_revalidate=None)
    _, other = aged(world, prices, policy)
    # It is held in memory until the back-off ends.
    with force(other, ValueError("no")), assert_computed(other, 1):
        for _ in range(3):
            assert told(world, other, "a") == ("stale", 1)
    assert source.asked == 1


def test_mark_stale_reaches_the_stores(world, prices, source):
    one, other = prices(SHORT.replace(ttl=60))
    assert world.call(one, "a") == 1
    one.mark_stale("a")
    assert told(world, other, "a") == ("stale", 1)
    until(lambda: source.asked == 2)


def test_what_is_invalidated_in_one_is_gone_in_the_other(world, prices, source):
    one, other = aged(world, prices, SHORT)
    one.invalidate("a")
    source.error = ValueError("no")
    with pytest.raises(ValueError):
        world.call(other, "a")


def test_without_memory_too(world, tmp_path, source):
    shop = Cache([f"disk://{tmp_path}/store"], namespace="shop")

    @world.cached(shop(SHORT, name="price"))
    def price(sku):
        return source(sku)

    assert world.call(price, "a") == 1
    time.sleep(0.25)
    assert told(world, price, "a") == ("stale", 1)
    until(lambda: source.asked == 2)
    shop.close()

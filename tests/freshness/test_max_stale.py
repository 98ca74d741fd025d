"""A call that says how old a value may be that it is served: `using(max_stale=...)`, as in HTTP."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache, ConfigError, NotCached
from worlds import Gate, adds_up

KEPT = {"ttl": 10, "stale_if_error": 60}


@pytest.fixture
def price(world, cache, clock, source):
    """A function whose entry's ttl ended five seconds ago."""

    @world.cached(cache(**KEPT))
    def price(sku):
        return source(sku)

    world.call(price, "a")
    clock.advance(15)
    return price


def told(world, function, *args):
    result = world.call(function.call, *args)
    return result.status, result.value


@pytest.mark.proves("using.max_stale")
def test_an_old_value_that_is_kept_is_served_without_computing(world, price, source):
    assert told(world, price.using(max_stale=5), "a") == ("stale", 1)
    assert told(world, price.using(max_stale="1m"), "a") == ("stale", 1)
    assert source.asked == 1
    stats = adds_up(price, 3)
    assert (stats.stale, stats.misses, stats.refreshes) == (2, 1, 0)


@pytest.mark.parametrize("options", [{}, {"max_stale": 4.9}, {"max_stale": None}])
def test_what_is_older_is_computed(world, price, options):
    assert told(world, price.using(**options), "a") == ("miss", 2)


def test_what_is_older_stands_for_an_error_all_the_same(world, price, source):
    source.error = ValueError("no")
    assert told(world, price.using(max_stale=4), "a") == ("stale", 1)
    assert source.asked == 2


def test_a_fresh_entry_is_a_hit_and_nothing_is_a_miss(world, price):
    assert told(world, price, "a") == ("miss", 2)
    assert told(world, price.using(max_stale=5), "a") == ("hit", 2)
    assert told(world, price.using(max_stale=5), "b") == ("miss", 3)


def test_what_no_window_keeps_is_gone(world, cache, clock, source):
    @world.cached(cache(ttl=10))
    def plain(sku):
        return source(sku)

    world.call(plain, "a")
    clock.advance(10)
    assert told(world, plain.using(max_stale=60), "a") == ("miss", 2)


def test_an_entry_in_a_window_of_its_own_is_served_and_computed_anew(world, cache, clock, source):
    @world.cached(cache(stale_while_revalidate=20, **KEPT))
    def rate(code):
        return source(code)

    world.call(rate, "EUR")
    clock.advance(25)
    assert told(world, rate.using(max_stale=1), "EUR") == ("stale", 1)
    source.is_asked(2)


def test_the_age_counts_beside_it(world, price):
    both = price.using(max_age=14, max_stale=60)
    assert told(world, price.using(max_age=15, max_stale=60), "a") == ("stale", 1)
    assert told(world, both, "a") == ("miss", 2)


def test_only_if_cached_takes_old_values_too(world, price, source):
    with pytest.raises(NotCached):
        told(world, price.using(only_if_cached=True), "a")
    with pytest.raises(NotCached):
        told(world, price.using(only_if_cached=True, max_stale=4), "a")
    assert told(world, price.using(only_if_cached=True, max_stale=5), "a") == ("stale", 1)
    assert source.asked == 1


def test_what_was_marked_stale_has_its_ttl_end_then(world, cache, source):
    @world.cached(cache(**KEPT))
    def rate(code):
        return source(code)

    world.call(rate, "EUR")
    rate.mark_stale("EUR")
    assert told(world, rate.using(max_stale=1), "EUR") == ("stale", 1)
    assert told(world, rate, "EUR") == ("miss", 2)


def test_what_was_invalidated_is_served_to_nobody(world, price):
    price.invalidate("a")
    assert told(world, price.using(max_stale=60), "a") == ("miss", 2)


def test_nobody_is_waited_for_where_an_old_value_will_do(world, cache, clock, source):
    gate = Gate()

    @world.cached(cache(**KEPT))
    def slow(sku):
        if source.asked:
            yield gate
        return source(sku)

    world.call(slow, "a")
    clock.advance(11)
    computing = world.start(slow, "a")
    gate.is_reached()
    assert told(world, slow.using(max_stale=60), "a") == ("stale", 1)
    gate.open()
    assert computing.result(20) == 2


def test_a_batch_takes_old_values_for_each_id(cache, clock):
    asked = []

    @cache.batch(**KEPT)
    def names(ids):
        asked.append(sorted(ids))
        return {one: len(asked) for one in ids}

    names([1, 2])
    clock.advance(15)
    assert names.using(max_stale=5)([1, 2, 3]) == [1, 1, 2]
    assert names.using(max_stale=4)([1]) == [3]
    assert asked == [[1, 2], [3], [1]]


# Stores have clocks of their own: what is old here has been for no longer than a minute.
@pytest.mark.parametrize("tiers", [["memory://"], []], ids=["behind memory", "alone"])
@pytest.mark.parametrize("only", [False, True], ids=["computes", "only if cached"])
def test_stores_are_asked_for_old_values_too(world, tmp_path, source, tiers, only):
    places = [Cache([*tiers, f"disk://{tmp_path}/store"], namespace="shop") for _ in range(2)]

    def of(cache):
        @world.cached(cache(ttl=0.05, stale_if_error=600, name="price"))
        def price(sku):
            return source(sku)

        return price

    one, other = map(of, places)
    assert world.call(one, "a") == 1
    time.sleep(0.06)  # the store's clock is the system's
    told_so = other.using(max_stale="1m", only_if_cached=only)
    assert [told(world, told_so, "a") for _ in range(2)] == [("stale", 1)] * 2
    stats = adds_up(other, 2)
    assert (stats.stale, source.asked) == (2, 1)
    assert told(world, other.using(max_stale=0.001), "a") == ("miss", 2)
    for cache in places:
        cache.close()


@pytest.mark.parametrize("other", ["skip", "refresh", "write_only"])
def test_it_contradicts_what_takes_no_entry(price, other):
    with pytest.raises(ConfigError, match=f"both {other} and max_stale"):
        price.using(max_stale=5, **{other: True})


@pytest.mark.parametrize("span", [0, -1, float("nan"), "soon"])
def test_what_is_no_duration_is_refused(price, span):
    with pytest.raises(ConfigError, match="hint: "):
        price.using(max_stale=span)

"""What a function says of its result, and sees of the one before, from threads and from an event loop."""

from __future__ import annotations

import math

import pytest
from everwarm import DO_NOT_STORE, Cache, Policy, Unsupported, context
from worlds import until


@pytest.mark.proves("Policy.ttl")
@pytest.mark.parametrize(
    ("given", "left"), [(5, 5.0), ("1m", 60.0), (None, None), (0, "gone"), (DO_NOT_STORE, "gone")]
)
def test_the_result_decides_its_ttl(world, cache, source, given, left):
    @world.cached(cache(ttl=lambda result: given if result == 1 else 7))
    def price(sku):
        return source(sku)

    assert world.call(price, "a") == 1
    found = price.peek("a")
    assert (found and found.ttl) == (None if left == "gone" else left)
    assert (found is None) == (left == "gone")
    assert world.call(price, "b") == 2
    assert price.peek("b").ttl == 7


def test_such_a_ttl_has_the_windows_of_the_policy(world, cache, clock, source):
    @world.cached(cache(ttl=lambda result: 5, stale_while_revalidate=5))
    def price(sku):
        return source(sku)

    world.call(price, "a")
    clock.advance(5)
    assert (world.call(price, "a"), price.stats().stale) == (1, 1)
    source.is_asked(2)


def test_a_ttl_that_cannot_be_given_costs_the_entry_and_not_the_call(world, cache, source):
    @world.cached(cache(ttl=lambda result: "soon"))
    def price(sku):
        return source(sku)

    assert world.call(price, "a") == 1
    assert price.peek("a") is None
    assert price.stats().errors == 1


def test_what_is_primed_has_it_too(cache):
    @cache(ttl=lambda result: result)
    def price(sku):
        return 3

    price.prime(9, "a")
    assert price.peek("a").ttl == 9
    price.prime(0, "a")
    assert price.peek("a") is None


def test_a_function_says_how_its_result_is_kept(world, cache, source):
    @world.cached(cache(ttl=10))
    def price(sku):
        here = context()
        assert context() is here
        here.ttl = {"short": 2, "long": None, "plain": ...}[sku]
        here.tags.add(f"sku:{sku}")
        return source(sku)

    for sku, left in ("short", 2), ("long", None), ("plain", 10):
        world.call(price, sku)
        found = price.peek(sku)
        assert (found.ttl, found.tags) == (left, (f"sku:{sku}",))
    cache.invalidate_tags("sku:long")
    assert price.peek("long") is None


def test_a_function_skips_its_result(world, cache, source):
    @world.cached(cache)
    def price(sku):
        if sku == "a":
            context().skip()
        return source(sku)

    assert [world.call(price, sku) for sku in "aabb"] == [1, 2, 3, 3]


def test_calls_within_calls_each_have_their_own(cache):
    @cache
    def inner(sku):
        context().ttl = 1
        return sku

    @cache
    def outer(sku):
        context().ttl = 2
        value = inner(sku)
        context().tags.add("outer")
        return value

    outer("a")
    assert (inner.peek("a").ttl, inner.peek("a").tags) == (1, ())
    assert (outer.peek("a").ttl, outer.peek("a").tags) == (2, ("outer",))


def test_a_function_sees_the_old_value_and_says_that_it_holds(world, cache, clock, source):
    seen = []

    @world.cached(cache(ttl=10, stale_while_revalidate=60, tags=["sku:{sku}"]))
    def page(sku):
        here = context()
        seen.append((here.has_old, here.old, here.age, here.etag))
        source(sku)
        if here.etag == "v1":
            return here.not_modified()
        here.etag = "v1"
        return ["page", sku]

    first = world.call(page, "a")
    clock.advance(11)
    assert world.call(page, "a") == first
    source.is_asked(2)
    until(lambda: page.peek("a").status == "hit")
    assert world.call(page, "a") is first
    assert seen == [(False, None, 0.0, None), (True, first, 11.0, "v1")]
    # It lives anew, and its etag with it.
    clock.advance(11)
    world.call(page, "a")
    source.is_asked(3)
    until(lambda: page.peek("a").status == "hit")
    assert seen[2] == (True, first, 11.0, "v1")
    page.invalidate("a")
    world.call(page, "a")
    assert seen[3] == (False, None, 0.0, None)


def test_an_answer_without_an_old_value_is_refused(world, cache):
    @world.cached(cache)
    def page(sku):
        return context().not_modified()

    with pytest.raises(Unsupported, match="no old value"):
        world.call(page, "a")


def test_outside_of_a_computation_nothing_comes_of_it(cache):
    @cache(ttl=10)
    def price(sku):
        context().skip()
        context().ttl = math.pi
        return context().has_old

    assert price.uncached("a") is False
    assert context() is not context()


def test_get_or_compute_takes_what_is_said(clock):
    shop = Cache(clock=clock, policy=Policy(ttl=10))

    def compute():
        context().ttl = 3
        context().tags.add("t")
        return 1

    def skips():
        context().skip()
        return 2

    assert shop.get_or_compute("a", compute) == 1
    assert (shop.ttl("a"), shop.get_with_meta("a").tags) == (3, ("t",))
    assert shop.get_or_compute("b", skips) == 2
    assert shop.get("b") is None


def test_what_failed_leaves_nothing_behind(world, cache, source):
    from everwarm import _context

    @world.cached(cache)
    def price(sku):
        context().tags.add("t")
        return source(sku)

    source.error = ValueError("no")
    before = dict(_context._asked)
    with pytest.raises(ValueError):
        world.call(price, "a")
    assert _context._asked == before

"""Why a call would be a hit or a miss, told without counting, touching or computing."""

from __future__ import annotations

import pickle

import pytest
from everwarm import Cache, Explanation
from worlds import PATIENCE, Gate


def told(function, *args):
    """Status, reason and by; the counters stay as they are."""
    before = function.stats()
    explanation = function.explain(*args)
    assert function.stats() == before
    assert str(explanation).startswith("a hit" if explanation.status == "hit" else "a miss")
    return explanation.status, explanation.reason, explanation.by


@pytest.fixture
def load(cache):
    return cache(ttl=60, tags=["user:{x}"])(lambda x: [x])


def test_a_hit(load, clock):
    load(1)
    clock.advance(20)
    explanation = load.explain(1)
    assert told(load, 1) == ("hit", "fresh", None)
    assert (explanation.age, explanation.ttl, explanation.key) == (20, 40, load.key(1))
    assert pickle.loads(pickle.dumps(explanation)) == explanation


def test_never_stored(load):
    assert told(load, 1) == ("miss", "never_stored", None)


@pytest.mark.parametrize("met", [False, True], ids=["in the table", "after it left"])
def test_expired(load, cache, clock, met):
    load(1)
    clock.advance(60)
    if met:
        assert cache.sweep() == 1
    assert told(load, 1) == ("miss", "expired", None)


@pytest.mark.parametrize("met", [False, True], ids=["in the table", "after it left"])
def test_invalidated_by_a_tag(load, cache, met):
    load(1)
    cache.invalidate_tags("user:1", "user:2")
    if met:
        from everwarm import NotCached

        with pytest.raises(NotCached):
            load.using(only_if_cached=True)(1)
        assert load.stats().entries == 0
    assert told(load, 1) == ("miss", "invalidated", "user:1")
    assert "'user:1'" in str(load.explain(1))


def test_invalidated_cleared_and_marked_stale(load, cache):
    load(1)
    load.invalidate(1)
    assert told(load, 1) == ("miss", "invalidated", "invalidate")
    load(1)
    load.clear()
    assert told(load, 1) == ("miss", "cleared", "clear")
    assert "its function was cleared" in str(load.explain(1))
    load(1)
    cache.clear()
    assert told(load, 1) == ("miss", "cleared", "cache.clear")
    assert "the whole cache was cleared" in str(load.explain(1))
    load(1)
    load.mark_stale(1)
    assert told(load, 1) == ("miss", "marked_stale", "mark_stale")
    load(1)
    assert told(load, 1) == ("hit", "fresh", None)


def test_evicted():
    load = Cache(max_entries=1)(lambda x: [x])
    load(1), load(2)
    assert {told(load, 1)[1], told(load, 2)[1]} == {"fresh", "evicted"}


def test_not_storable(cache):
    load = cache(when=lambda value: False)(lambda x: [x])
    load(1)
    assert told(load, 1) == ("miss", "not_storable", None)


def test_computing(world, cache):
    gate = Gate()

    @world.cached(cache)
    def load(x):
        yield gate
        return [x]

    leader = world.start(load, 1)
    gate.is_reached()
    assert told(load, 1) == ("follower", "computing", None)
    gate.open()
    leader.result(PATIENCE)


def test_invalidated_while_it_was_computed(world, cache):
    gate = Gate()

    @world.cached(cache(tags=["t"]))
    def load(x):
        yield gate
        return [x]

    leader = world.start(load, 1)
    gate.is_reached()
    cache.invalidate_tags("t")
    gate.open()
    leader.result(PATIENCE)
    assert told(load, 1) == ("miss", "invalidated", "t")


def test_refused(cache):
    load = cache(lambda thing: 1)
    explanation = load.explain(object())
    assert (explanation.status, explanation.reason, explanation.key) == ("refused", "refused", "")
    assert "`thing`" in str(explanation) and "\nhint: " in str(explanation)


def test_the_record_is_bounded_and_honest():
    load = Cache(max_entries=1)(lambda x: [x])
    for x in range(20_000):
        load(x)
    reasons = [load.explain(x).reason for x in range(19_000)]
    assert set(reasons) == {"evicted", "unknown"}
    assert 1 <= reasons.count("evicted") <= 1_024


def test_the_nearest_entry_names_the_argument(cache):
    @cache
    def search(text, page=1, *, size=10):
        return [text]

    search("secret", 2)
    explanation = search.explain("secret", "2")
    assert (explanation.argument, explanation.types) == ("page", ("str", "int"))
    assert "secret" not in str(explanation)
    explanation = search.explain("secret", 2, size=20)
    assert (explanation.argument, explanation.types) == ("size", None)
    explanation = search.explain("other", 3)
    assert explanation.argument is None and "`text`, `page`" in str(explanation)


def test_of_methods_the_instance_may_differ(cache):
    class Shop:
        @cache
        def price(self, x):
            return x

    one, other = Shop(), Shop()
    one.price(1)
    assert other.price.explain(1).argument == "self"
    assert one.price.explain(2).argument == "x"
    assert isinstance(Shop.price.explain(one, 1), Explanation)


def test_with_templates_and_callables(cache):
    by_template = cache(key="{user[id]}")(lambda user: 1)
    by_template({"id": 1})
    assert by_template.explain({"id": 2}).argument == "user"
    by_callable = cache(key=lambda user: user)(lambda user: 1)
    by_callable(1)
    assert by_callable.explain(2).argument is None


def test_a_dead_instance_leaves_no_reason_to_its_successor(cache):
    class Shop:
        @cache
        def price(self, x):
            return x

    for _ in range(200):
        Shop().price(1)
        shop = Shop()
        assert shop.price.explain(1).reason in ("never_stored", "unknown")
        del shop


def test_what_weighs_too_much_names_its_bound():
    whole = Cache(max_bytes=50_000, max_entries=None)
    single = Cache()
    for cache, policy, bound in (
        (whole, {}, "max_bytes"),
        (single, {"max_entry_bytes": 1_000}, "max_entry_bytes"),
    ):
        zeros = cache(lambda count: bytes(count), **policy)
        assert zeros(100_000) == bytes(100_000)
        assert told(zeros, 100_000) == ("miss", "too_heavy", bound)
        assert f"`{bound}`" in str(zeros.explain(100_000))
    whole.set("a", bytes(10))
    assert whole.stats().refused == single.stats().refused == 1


def test_of_keywords_the_one_that_differs_is_named():
    @Cache()
    def search(text, **filters):
        return text

    search("lamp", size=1, colour="red")
    told = search.explain("lamp", size="1", colour="red")
    assert (told.argument, told.types) == ("size", ("str", "int"))
    told = search.explain("lamp", size=1)
    assert (told.argument, told.types) == ("colour", None)
    told = search.explain("lamp", size=2, colour="blue")
    assert (told.argument, told.types) == ("filters", None)
    told = search.explain("tv", size=1, colour="red")
    assert told.argument == "text"

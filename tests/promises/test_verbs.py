"""The verbs of a decorated function, for every form of function, over the same arguments as its call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys

import pytest
from everwarm import Cache, Result, Stats
from worlds import PATIENCE, Gate, adds_up, until


def plain(cache):
    return cache(lambda x: [x]), (1,), (2,)


def coroutine(cache):
    async def load(x):
        return [x]

    return cache(load), (1,), (2,)


class Shop:
    """Each method is decorated by ``dress``, which the forms below make of a cache."""

    def __init__(self, cache):
        class Dressed:
            @cache
            def method(self, x):
                return [x]

            @cache
            async def coroutine_method(self, x):
                return [x]

            @cache
            @classmethod
            def class_inside(cls, x):
                return [cls, x]

            @classmethod
            @cache
            def class_outside(cls, x):
                return [cls, x]

            @cache
            @staticmethod
            def static_inside(x):
                return [x]

            @staticmethod
            @cache
            def static_outside(x):
                return [x]

        self.kind = Dressed
        self.instance = Dressed()


def bound_method(cache):
    shop = Shop(cache)
    return shop.instance.method, (1,), (2,)


def bound_coroutine_method(cache):
    shop = Shop(cache)
    return shop.instance.coroutine_method, (1,), (2,)


def method_of_class(cache):
    shop = Shop(cache)
    return shop.kind.method, (shop.instance, 1), (shop.instance, 2)


def class_inside(cache):
    return Shop(cache).kind.class_inside, (1,), (2,)


def class_inside_of_instance(cache):
    return Shop(cache).instance.class_inside, (1,), (2,)


def class_outside(cache):
    shop = Shop(cache)
    if sys.version_info >= (3, 13):
        # `classmethod` gives a method of Python's own; its attributes are the function's, without the class.
        return shop.kind.class_outside.__func__, (shop.kind, 1), (shop.kind, 2)
    return shop.kind.class_outside, (1,), (2,)


def static_inside(cache):
    return Shop(cache).kind.static_inside, (1,), (2,)


def static_outside(cache):
    return Shop(cache).instance.static_outside, (1,), (2,)


def partial(cache):
    return cache(functools.partial(lambda x, y: [x, y], 5)), (1,), (2,)


def partial_of_coroutine(cache):
    async def load(x, *, y):
        return [x, y]

    return cache(functools.partial(load, y=3)), (1,), (2,)


def callable_object(cache):
    class Loader:
        def __call__(self, x):
            return [x]

    return cache(Loader()), (1,), (2,)


def builtin(cache):
    return cache("a b/c".split), (" ",), ("/",)


FORMS = [
    plain,
    coroutine,
    bound_method,
    bound_coroutine_method,
    method_of_class,
    class_inside,
    class_inside_of_instance,
    class_outside,
    static_inside,
    static_outside,
    partial,
    partial_of_coroutine,
    callable_object,
    builtin,
]


# The verbs that may have to ask stores, and so have a-twins.
TWINS = {"peek", "prime", "invalidate", "mark_stale", "clear"}


@pytest.fixture(params=[False, True], ids=["direct", "awaited"])
def twins(request):
    """Whether verbs that have an a-twin are asked by it."""
    return request.param


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def form(request, cache, twins):
    function, args, other = request.param(cache)
    return Form(function, twins), args, other


class Form:
    """A decorated function whose awaitables are awaited."""

    def __init__(self, function, twins):
        self.function = function
        self.twins = twins

    def __call__(self, *args):
        return awaited(self.function(*args))

    def __getattr__(self, name):
        found = getattr(self.function, "a" + name if self.twins and name in TWINS else name)
        return (lambda *args: awaited(found(*args))) if callable(found) else found


def awaited(value):
    return asyncio.run(_value_of(value)) if inspect.isawaitable(value) else value


async def _value_of(awaitable):
    return await awaitable


def test_peek_shows_the_entry_and_counts_nothing(form):
    load, args, other = form
    assert load.peek(*args) is None
    value = load(*args)
    before = load.stats()
    found = load.peek(*args)
    assert found.value is value and found.status == "hit" and found.tier == "memory"
    assert found.key == load.key(*args)
    assert load.peek(*other) is None
    assert load.stats() == before


def test_a_hit_is_the_very_value(form):
    load, args, other = form
    value = load(*args)
    assert load(*args) is value and load(*other) is not value
    stats = adds_up(load, 3)
    assert (stats.hits, stats.computations, stats.entries) == (1, 2, 2)


def test_key_tells_calls_apart(form):
    load, args, other = form
    assert isinstance(load.key(*args), str)
    assert load.key(*args) == load.key(*args) != load.key(*other)


def test_refresh_computes_anew_and_stores(form):
    load, args, other = form
    first, beside = load(*args), load(*other)
    second = load.refresh(*args)
    assert second is not first and second == first
    assert load(*args) is second and load(*other) is beside
    stats = adds_up(load, 5)
    assert (stats.bypass, stats.computations) == (1, 3)


def test_prime_stores_a_value_without_computing(form):
    load, args, other = form
    value = object()
    load.prime(value, *args)
    assert load(*args) is value and load(*other) is not value
    load.prime(None, *args)
    assert load(*args) is None
    assert adds_up(load, 3).computations == 1


def test_invalidate_lets_one_call_go(form):
    load, args, other = form
    first, beside = load(*args), load(*other)
    assert load.invalidate(*args) is None
    assert load.peek(*args) is None
    assert load(*args) is not first and load(*other) is beside
    assert adds_up(load, 4).entries == 2


def test_mark_stale_has_the_next_call_compute(form):
    load, args, other = form
    first, beside = load(*args), load(*other)
    assert load.mark_stale(*args) is None
    assert load(*args) is not first and load(*other) is beside


@pytest.mark.parametrize("verb", ["clear", "cache_clear"])
def test_clear_lets_all_calls_go(form, verb):
    load, args, other = form
    load(*args), load(*other)
    getattr(load, verb)()
    assert load.peek(*args) is None is load.peek(*other)
    assert load.stats().entries == 0


def test_call_says_how_the_value_was_had(form):
    load, args, _ = form
    first = load.call(*args)
    again = load.call(*args)
    assert isinstance(first, Result)
    assert (first.status, first.tier, again.status, again.tier) == ("miss", None, "hit", "memory")
    assert again.value is first.value and first.key == again.key == load.key(*args)
    assert first.why != again.why
    adds_up(load, 2)


def test_uncached_goes_past_the_cache(form):
    load, args, _ = form
    value = load(*args)
    before = load.stats()
    assert load.uncached(*args) is not value and load.uncached(*args) == value
    assert load.__wrapped__(*args) == value
    assert load.stats() == before


def test_the_names_of_lru_cache(form):
    load, args, _ = form
    load(*args), load(*args)
    assert load.cache_info() == (1, 1, 10_000, 1)
    assert load.cache_info()._fields == ("hits", "misses", "maxsize", "currsize")
    assert load.cache_parameters() == {"maxsize": 10_000, "typed": True}


def test_stats_are_a_frozen_reading(form):
    load, args, _ = form
    load(*args), load(*args), load(*args), load(*args)
    stats = load.stats()
    assert isinstance(stats, Stats)
    assert (stats.calls, stats.hits, stats.misses, stats.computations, stats.entries) == (4, 3, 1, 1, 1)
    assert stats.hit_ratio == 0.75
    load(*args)
    assert stats.hits == 3
    with pytest.raises(AttributeError, match="frozen"):
        stats.hits = 0


def test_a_class_method_with_classmethod_outside_keeps_its_calls_apart_by_class(cache):
    shop = Shop(cache)

    class Heir(shop.kind):
        pass

    assert shop.kind.class_outside(1) == [shop.kind, 1] and Heir.class_outside(1) == [Heir, 1]
    assert shop.kind.class_outside(1) is shop.instance.class_outside(1)
    assert shop.kind.class_inside(1) == [shop.kind, 1] and Heir.class_inside(1) == [Heir, 1]
    Heir.class_inside.invalidate(1)
    assert shop.kind.class_inside.peek(1) is not None and Heir.class_inside.peek(1) is None


def test_instances_do_not_share_entries(cache):
    kind = Shop(cache).kind
    one, two = kind(), kind()
    assert one.method(1) is one.method(1) is not two.method(1)
    one.method.invalidate(1)
    assert one.method.peek(1) is None and two.method.peek(1) is not None
    assert kind.method.peek(two, 1).value is two.method(1)


def test_call_tells_followers_apart(world, cache):
    gate = Gate()

    @world.cached(cache(ttl=60, tags=["a"]))
    def load(key):
        yield gate
        return [key]

    leader = world.start(load.call, 1)
    gate.is_reached()
    follower = world.start(load.call, 1)
    until(lambda: load.stats().followers == 1)
    gate.open()
    results = [leader.result(PATIENCE), follower.result(PATIENCE), world.call(load.call, 1)]
    assert [result.status for result in results] == ["miss", "follower", "hit"]
    assert len({result.why for result in results}) == 3
    assert all(result.value is results[0].value for result in results)
    assert all((result.ttl, result.tags, result.age) == (60, ("a",), 0.0) for result in results)
    adds_up(load, 3)


def test_call_says_when_a_value_was_not_stored(world, cache):
    @world.cached(cache(ttl=60, when=lambda value: False))
    def load(key):
        return [key]

    result = world.call(load.call, 1)
    assert (result.status, result.ttl, result.tags, result.tier) == ("miss", None, (), None)


def test_age_and_ttl_follow_the_clock(world, cache, clock):
    @world.cached(cache(ttl=60))
    def load(key):
        return [key]

    world.call(load, 1)
    clock.advance(20)
    result = world.call(load.call, 1)
    assert (result.age, result.ttl) == (20, 40) == (load.peek(1).age, load.peek(1).ttl)


def test_a_default_and_a_keyword_are_the_same_call(world):
    cache = Cache()

    if world.is_async:

        @cache
        async def load(a, b=2, *rest, c=3, **named):
            return [a, b, rest, c, named]
    else:

        @cache
        def load(a, b=2, *rest, c=3, **named):
            return [a, b, rest, c, named]

    first = world.call(load, 1)
    for args, kwargs in (
        ((1, 2), {}),
        ((1,), {"b": 2}),
        ((), {"a": 1}),
        ((), {"b": 2, "a": 1}),
        ((1,), {"c": 3}),
    ):
        assert world.call(load, *args, **kwargs) is first
    for args, kwargs in (((1, 2, 4), {}), ((1,), {"c": 4}), ((1,), {"d": 4}), ((2,), {})):
        assert world.call(load, *args, **kwargs) is not first
    load.invalidate(b=2, a=1)
    assert load.peek(1) is None

"""No dead options: each keyword of a policy has a test that fails when it does nothing."""

from __future__ import annotations

import copy
import pickle
from datetime import timedelta
from types import SimpleNamespace

import pytest
from everwarm import Cache, Policy
from worlds import adds_up


@pytest.mark.proves("Policy.ttl")
@pytest.mark.parametrize(
    ("ttl", "seconds"),
    [
        (90, 90.0),
        (0.25, 0.25),
        (timedelta(minutes=2), 120.0),
        (timedelta(milliseconds=1500), 1.5),
        ("250ms", 0.25),
        ("1.5s", 1.5),
        ("90s", 90.0),
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
        ("1w", 604_800.0),
        (timedelta(days=36_525), 36_525 * 86_400.0),
    ],
)
def test_ttl_ends_an_entry_to_the_moment(world, cache, clock, ttl, seconds):
    @world.cached(cache(ttl=ttl))
    def load(key):
        return object()

    first = world.call(load, 1)
    assert load.peek(1).ttl == seconds
    clock.advance(seconds * 0.75)
    assert world.call(load, 1) is first
    assert load.peek(1).ttl == seconds * 0.25 and load.peek(1).age == seconds * 0.75
    clock.advance(seconds * 0.25)
    assert load.peek(1) is None
    assert world.call(load, 1) is not first
    stats = adds_up(load, 3)
    assert (stats.hits, stats.computations, stats.expired, stats.entries) == (1, 2, 1, 1)


def test_without_ttl_an_entry_stays(cache, clock):
    @cache(ttl=None)
    def load(key):
        return object()

    first = load(1)
    clock.advance("5200w")
    assert load(1) is first and load.peek(1).ttl is None


@pytest.mark.proves("Policy.jitter")
def test_jitter_only_shortens_the_ttl_and_spreads_it(cache):
    @cache(ttl=100, jitter=0.5)
    def load(key):
        return key

    for key in range(400):
        load(key)
    left = sorted(load.peek(key).ttl for key in range(400))
    assert 50 <= left[0] and left[-1] <= 100
    assert left[0] < 60 and left[-1] > 90 and 65 < left[200] < 85
    assert len(set(left)) > 300


def test_jitter_spreads_primed_entries_too(cache):
    load = cache(ttl=100, jitter=0.5)(lambda key: key)
    for key in range(50):
        load.prime(key, key)
    assert len({load.peek(key).ttl for key in range(50)}) > 40


@pytest.mark.proves("Policy.cache_none")
@pytest.mark.parametrize("cache_none", [True, False])
def test_cache_none_says_whether_none_is_stored(world, cache, cache_none):
    @world.cached(cache(cache_none=cache_none))
    def load(key):
        return {"none": None, "zero": 0, "empty": "", "false": False}[key]

    for key in ("none", "zero", "empty", "false"):
        assert not world.call(load, key) and not world.call(load, key)
    stats = adds_up(load, 8)
    assert stats.computations == (4 if cache_none else 5)
    assert stats.refused == (0 if cache_none else 2)
    assert (load.peek("none") is not None) is cache_none


@pytest.mark.proves("Policy.when")
def test_when_says_whether_a_result_is_stored(world, cache):
    asked = []

    @world.cached(cache(when=lambda result: asked.append(result) or result > 0))
    def load(key):
        return key

    assert [world.call(load, key) for key in (1, 1, -1, -1)] == [1, 1, -1, -1]
    stats = adds_up(load, 4)
    assert (stats.hits, stats.computations, stats.refused) == (1, 3, 2)
    assert asked == [1, -1, -1], "a hit asks nothing"
    assert load.peek(-1) is None


def test_when_is_asked_for_none_as_well(cache):
    load = cache(when=lambda result: result is not None)(lambda key: None)
    assert load(1) is None and load.peek(1) is None


@pytest.mark.proves("Policy.key")
def test_a_key_callable_takes_the_calls_own_arguments(world, cache):
    @world.cached(cache(key=lambda user, lang: user.id))
    def load(user, lang):
        return f"{user.name} {lang}"

    ada, bob = SimpleNamespace(id=1, name="Ada"), SimpleNamespace(id=1, name="Bob")
    assert world.call(load, ada, "en") == "Ada en" == world.call(load, bob, "de")
    assert world.call(load, SimpleNamespace(id=2, name="Eve"), lang="en") == "Eve en"
    assert adds_up(load, 3).computations == 2


@pytest.mark.proves("Policy.key")
@pytest.mark.parametrize(
    "template", ["{user.id}", "user:{user.id}", "{user.names[first]}", "{user.roles[1]}"]
)
def test_a_key_template_names_what_tells_calls_apart(world, cache, template):
    @world.cached(cache(key=template))
    def load(user, session):
        return session

    def user(number):
        return SimpleNamespace(id=number, names={"first": f"n{number}"}, roles=["same", f"r{number}"])

    assert world.call(load, user(1), 10) == 10 == world.call(load, user(1), 11)
    assert world.call(load, user(2), 12) == 12


def test_a_key_template_keeps_fields_apart(cache):
    load = cache(key="{a}{b}")(lambda a, b: (a, b))
    assert load("1", "23") == ("1", "23")
    assert load("12", "3") == ("12", "3")
    assert load(1, "23") == (1, "23"), "the text of a number is not the number"


@pytest.mark.proves("Policy.tags", "Policy.tags_from_result")
def test_tags_let_entries_go_together(world, cache):
    @world.cached(cache(tags=["all", "key:{key}"], tags_from_result=lambda value: [f"parity:{value % 2}"]))
    def load(key):
        return key

    for key in range(4):
        world.call(load, key)
    assert set(load.peek(3).tags) == {"all", "key:3", "parity:1"}
    kept = lambda: [key for key in range(4) if load.peek(key)]  # noqa: E731
    cache.invalidate_tags("key:0")
    assert kept() == [1, 2, 3]
    cache.invalidate_tags("parity:1")
    assert kept() == [2]
    cache.invalidate_tags("all")
    assert kept() == []


def test_a_hit_asks_no_callable_but_that_of_the_key(world, cache):
    asked = []

    def told(name, answer):
        return lambda *args, **kwargs: asked.append(name) or answer

    policy = Policy(key=told("key", 1), tags=told("tags", ["a"]), tags_from_result=told("result", ["b"]))

    @world.cached(cache(policy, when=told("when", True)))
    def load(key):
        return key

    world.call(load, 1)
    assert sorted(set(asked)) == ["key", "result", "tags", "when"]
    asked.clear()
    world.call(load, 1)
    assert set(asked) == {"key"}


@pytest.mark.proves("Policy.version")
def test_version_is_part_of_the_stored_name():
    def load(key):
        return key

    plain, second = Cache()(load), Cache()(version="2")(load)
    assert plain.key(1) != second.key(1)
    assert second.key(1) == Cache()(version="2")(load).key(1)


@pytest.mark.proves("Cache.namespace")
def test_namespace_begins_the_stored_name():
    def load(key):
        return key

    assert Cache(namespace="shop")(load).key(1).startswith("shop:")
    assert Cache(namespace="shop")(load).key(1) != Cache(namespace="stock")(load).key(1)


@pytest.mark.proves("Policy.name", "Policy.version")
def test_name_lets_functions_share_their_entries_by_version(world, cache):
    @world.cached(cache(name="price"))
    def one(sku):
        return "one"

    @world.cached(cache(name="price"))
    def two(item):
        return "two"

    @world.cached(cache(name="price", version="2"))
    def three(sku):
        return "three"

    @world.cached(cache(name="cost"))
    def four(sku):
        return "four"

    assert [world.call(function, "a") for function in (one, two, three, four)] == [
        "one",
        "one",
        "three",
        "four",
    ]
    assert "price" in one.key("a")
    two.invalidate("a")
    assert world.call(two, "a") == "two" == world.call(one, "a")


def test_functions_without_a_name_never_share(cache):
    made = [cache(lambda key, made=number: made) for number in range(3)]
    assert [load(1) for load in made] == [0, 1, 2]


def test_the_decorator_wins_over_the_policy_and_the_policy_over_the_cache(clock):
    cache = Cache(policy=Policy(ttl=60, cache_none=False), clock=clock)

    def ttl_of(decorator):
        load = decorator(lambda key: key)
        load(1)
        return load.peek(1).ttl

    assert ttl_of(cache) == 60 == ttl_of(cache())
    assert ttl_of(cache(ttl=30)) == 30
    assert ttl_of(cache(Policy(ttl=20))) == 20
    assert ttl_of(cache(Policy(ttl=20), ttl=3)) == 3
    assert ttl_of(cache(Policy(ttl=20), ttl=None)) is None
    assert cache(ttl=30)(len).policy == Policy(ttl=30, cache_none=False), (
        "what the decorator leaves out is the cache's"
    )
    assert cache(lambda key: key, ttl=5).policy.ttl == 5


@pytest.mark.proves("Cache.policy", "Cache.clock")
def test_the_call_wins_over_the_policy_of_the_cache(clock):
    cache = Cache(policy=Policy(ttl=60), clock=clock)
    cache.set("as the cache", 1)
    cache.set("as said", 1, ttl=30)
    cache.set("for ever", 1, ttl=None)
    clock.advance(30)
    assert [key in cache for key in ("as the cache", "as said", "for ever")] == [True, False, True]
    clock.advance(30)
    assert [key in cache for key in ("as the cache", "as said", "for ever")] == [False, False, True]


def positive(value):
    return value > 0


FULL = {
    "ttl": "5m",
    "jitter": 0.1,
    "cache_none": False,
    "when": positive,
    "key": "{user}",
    "tags": ("user:{user}",),
    "tags_from_result": positive,
    "version": "2",
    "name": "shop.price",
}


def test_a_policy_is_frozen():
    policy = Policy(**FULL)
    for field in (*FULL, "further"):
        with pytest.raises(AttributeError, match="frozen(.|\n)*hint:"):
            setattr(policy, field, None)
    with pytest.raises(AttributeError, match="frozen"):
        del policy.ttl
    assert policy == Policy(**FULL)


def test_a_policy_shows_what_it_says():
    assert repr(Policy()) == "Policy()"
    assert repr(Policy(ttl="5m", jitter=0.1, tags=["a"])) == "Policy(ttl='5m', jitter=0.1, tags=('a',))"
    assert eval(repr(Policy(ttl=3, key="{user}", cache_none=False))) == Policy(
        ttl=3, key="{user}", cache_none=False
    )


@pytest.mark.parametrize("field", FULL)
def test_policies_are_equal_by_each_field(field):
    policy, default = Policy(**FULL), Policy()
    other = policy.replace(**{field: getattr(default, field)})
    assert other != policy and other.replace(**{field: FULL[field]}) == policy
    assert hash(other.replace(**{field: FULL[field]})) == hash(policy)
    assert {other, policy, Policy(**FULL)} == {other, policy}
    assert policy != FULL


def test_a_policy_can_be_pickled_and_copied():
    policy = Policy(**FULL)
    for again in (pickle.loads(pickle.dumps(policy)), copy.copy(policy), copy.deepcopy(policy)):
        assert again == policy and repr(again) == repr(policy)
    assert Cache()(again)(lambda user: 1).policy == policy


def test_tags_given_once_are_kept():
    policy = Policy(tags=(tag for tag in ["a", "b"]))
    assert policy.tags == ("a", "b") == policy.replace(ttl=3).tags


def test_a_decorated_function_can_be_decorated_again(world, cache, clock):
    @world.cached(cache(ttl=10))
    def inner(key):
        return object()

    outer = cache(ttl=3)(inner)
    first = world.call(outer, 1)
    clock.advance(3)
    assert world.call(outer, 1) is first and inner.stats().hits == 1
    clock.advance(10)
    assert world.call(outer, 1) is not first

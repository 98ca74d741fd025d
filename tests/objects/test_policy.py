"""A cache's policy counts for its own entries: whole for `get_or_compute`, else how long and how much."""

from __future__ import annotations

import inspect
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from everwarm import DO_NOT_STORE, Cache, ConfigError, Policy, Timeout, context
from everwarm.testing import chaos, open_store

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "cache-object.md"

# As a function of the policy writes a key and no other parameter.
NAMES_AND_MORE = Policy(tags=["all", "name:{key}"])


@pytest.fixture(params=["memory", "tiered", "stored", "far"])
def made(request, world, clock):
    """Makes the verbs of a cache with a policy, and lets go of their loop at the end."""
    stores = {
        "memory": lambda: None,
        "tiered": lambda: ["memory://", open_store("memory://", clock=clock)],
        "stored": lambda: [open_store("memory://", clock=clock)],
        # One that answers later.
        "far": lambda: [chaos(open_store("memory://", clock=clock), seed=1, delay=1.0, delay_by=0.001)],
    }
    shops = []

    def make(**fields):
        policy = fields.pop("policy", None) or Policy(**fields)
        shops.append(world(Cache(stores[request.param](), policy=policy, clock=clock, namespace="shop")))
        return shops[-1]

    yield make
    for shop in shops:
        shop.end()


def computed(shop, key, *values, **keywords):
    """What each of several calls gives for the key; each would compute another one of the values."""
    left = iter(values)
    compute = shop.computing(lambda: next(left))
    return [shop.get_or_compute(key, compute, **keywords) for _ in values]


def test_what_when_refuses_is_returned_and_not_stored(made):
    shop = made(when=lambda value: value > 1)
    assert computed(shop, "a", 1, 2, 3) == [1, 2, 2]
    assert shop.cache.stats().refused == 1


def test_none_is_computed_each_time_where_it_is_not_to_be_stored(made):
    shop = made(cache_none=False)
    assert computed(shop, "a", None, None, 1, 2) == [None, None, 1, 1]
    assert shop.cache.stats().refused == 2
    assert computed(made(), "a", None, 1) == [None, None]


def test_cache_none_wins_over_a_ttl_for_none(made):
    assert computed(made(cache_none=False, negative_ttl=5), "a", None, 1) == [None, 1]


def test_tags_of_the_policy_let_what_was_computed_go(made):
    shop = made(policy=NAMES_AND_MORE)
    for tag in ("all", "name:a", "own"):
        computed(shop, "a", 1, tags=["own"])
        computed(shop, "b", 2, tags=["own"])
        assert sorted(shop.get_with_meta("a").tags) == ["all", "name:a", "own"]
        shop.invalidate_tags(tag)
        assert (shop.get("a"), shop.get("b")) == (None, 2 if tag == "name:a" else None)


@pytest.mark.parametrize("key", ["a", 7, ("user", 7)])
def test_a_function_that_gives_tags_is_given_the_key(made, key):
    shop = made(tags=lambda given: [repr(given)])
    assert computed(shop, key, 1) == [1]
    assert shop.get_with_meta(key).tags == (repr(key),)


def test_a_way_into_the_key_is_taken(made):
    shop = made(tags=["kind:{key[0]}"])
    computed(shop, ("user", 7), 1)
    assert shop.get_with_meta(("user", 7)).tags == ("kind:user",)


def test_tags_are_known_before_the_computation_begins(made):
    shop = made(tags=["all"])

    def compute():
        shop.cache.invalidate_tags("all")
        return 1

    assert shop.get_or_compute("a", shop.computing(compute)) == 1
    assert not shop.cache.exists("a")


def test_tags_of_the_result_let_it_go(made):
    shop = made(tags_from_result=lambda value: [f"value:{value}"])
    computed(shop, "a", 1)
    shop.invalidate_tags("value:2")
    assert shop.get("a") == 1
    shop.invalidate_tags("value:1")
    assert shop.get("a") is None


def test_a_tag_that_names_a_parameter_of_functions_is_refused(made):
    shop = made(tags=["user:{user_id}"])
    with pytest.raises(ConfigError, match=r"names `user_id`, and get_or_compute has only `key`\nhint: "):
        computed(shop, "a", 1)


@pytest.mark.parametrize("field", ["when", "tags", "tags_from_result", "ttl"])
def test_a_callable_that_fails_costs_the_entry_and_not_the_call(made, field):
    def fails(given):
        raise LookupError("not today")

    shop = made(**{field: fails})
    assert computed(shop, "a", 1, 2) == [1, 2]
    assert shop.cache.stats().errors == 2 and not shop.exists("a")


def test_a_function_of_the_value_gives_its_ttl(made):
    shop = made(ttl=lambda value: value)
    assert computed(shop, "a", 5) == [5] and shop.ttl("a") == 5
    shop.set("b", 6)
    assert shop.add("c", 7) and shop.replace("c", 8)
    shop.set_many({"d": 9, "e": 10})
    assert [shop.ttl(key) for key in "bcde"] == [6, 8, 9, 10]


def test_what_a_verb_is_told_goes_before_the_policys_ttl(made):
    shop = made(ttl=lambda value: 1 / 0)
    assert computed(shop, "a", 1, ttl=5) == [1]
    shop.set("b", 1, ttl=6)
    shop.set_many({"c": 1}, ttl=None)
    assert [shop.ttl(key) for key in "abc"] == [5, 6, float("inf")]
    with pytest.raises(ZeroDivisionError):
        shop.set("b", 2)
    with pytest.raises(ZeroDivisionError):
        shop.set_many({"c": 2, "d": 3})
    assert (shop.get("b"), shop.get("c"), shop.get("d")) == (1, 1, None)


def test_a_function_may_say_that_a_value_is_not_to_be_stored(made):
    shop = made(ttl=lambda value: DO_NOT_STORE if value == 0 else 5)
    assert computed(shop, "a", 0, 1) == [0, 1]
    shop.set("a", 0)
    assert not shop.exists("a"), "nobody is to read what was replaced"
    assert shop.add("b", 0) is False
    shop.set_many({"c": 0, "d": 1})
    assert sorted(shop.scan()) == ["d"]
    assert shop.cache.stats().refused == 4


def test_what_a_computation_says_of_itself_goes_before_all(made):
    shop = made(ttl=lambda value: 60)

    def compute():
        context().ttl = 5
        return 1

    shop.get_or_compute("a", shop.computing(compute), ttl=30)
    assert shop.ttl("a") == 5


def test_what_is_set_is_stored_as_it_is_given(made):
    shop = made(
        when=lambda value: False, cache_none=False, tags=["all"], tags_from_result=lambda value: ["of it"]
    )
    shop.set("a", None)
    shop.set_many({"b": 1})
    assert shop.add("c", 2)
    shop.invalidate_tags("all", "of it")
    assert shop.get_many([*"abc"]) == {"a": None, "b": 1, "c": 2}


def test_how_long_a_computation_took_counts_for_what_is_computed_ahead_of_time(world, clock):
    shop = world(Cache(policy=Policy(ttl=60, refresh_ahead="xfetch:1000000"), clock=clock))

    def compute():
        clock.advance(10)
        return 1

    for _ in range(2):
        shop.get_or_compute("a", shop.computing(compute))
        clock.advance(1)
    shop.close()
    assert shop.cache.stats().refreshes == 1, "with such a factor it is due at once"
    shop.end()


def test_the_policys_bound_of_computations_counts():
    cache = Cache(policy=Policy(max_computations=1, wait_timeout=0.05))

    def compute():
        with ThreadPoolExecutor(1) as pool, pytest.raises(Timeout):
            pool.submit(cache.get_or_compute, "b", lambda: 2).result()
        return 1

    assert cache.get_or_compute("a", compute) == 1
    assert cache.get_or_compute("b", lambda: 2) == 2


def test_the_policys_format_is_that_of_own_entries(world):
    written = []

    def dumps(value):
        written.append(value)
        return repr(value).encode()

    shop = world(Cache([open_store("memory://")], policy=Policy(format=(dumps, lambda data: int(data)))))
    shop.set("a", 1)
    computed(shop, "b", 2)
    assert written == [1, 2]
    shop.end()


# The rows of the guide's table: a field or several, then two columns.
ROW = re.compile(r"^\| (?P<fields>`.+?`) \| (?P<computed>.+?) \| (?P<written>.+?) \|$", re.MULTILINE)


def test_the_guide_says_of_each_field_what_it_is_for_own_entries():
    [table] = re.findall(r"\| of the policy \|.*?\n\n", GUIDE.read_text(), re.DOTALL)
    said = [field for row in ROW.finditer(table) for field in re.findall(r"`(\w+)`", row["fields"])]
    assert sorted(said) == sorted(inspect.signature(Policy).parameters)

"""Entries from before an upgrade: found under their older names, converted, and stored anew."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import pytest
from everwarm import Cache, ConfigError, Policy, ValueRefused, _report
from everwarm.testing import ManualClock, assert_computed, open_store


@dataclass
class UserOfThen:
    name: str

    __cache_name__ = "user"


@dataclass
class User:
    name: str
    email: str | None

    __cache_name__ = "user"


def with_email(user: UserOfThen) -> User:
    return User(user.name, None)


def no_longer(*_):
    raise AssertionError("what is stored is found")


@pytest.fixture(params=[False, True], ids=["function", "coroutine"])
def load(request):
    """A function of one argument, or a coroutine function, and what gives a call's value."""

    def of(body, annotation=None):
        if request.param:

            async def load(key):
                return body(key)

        else:

            def load(key):
                return body(key)

        if annotation is not None:
            load.__annotations__["return"] = annotation
        return load

    return of


def called(function, *args):
    value = function(*args)
    return asyncio.run(_value_of(value)) if hasattr(value, "__await__") else value


async def _value_of(awaitable):
    return await awaitable


@pytest.mark.proves("Policy.upgrade")
def test_an_older_value_is_converted_served_and_stored_anew(place, load):
    before = Policy(name="user", schema="user-1", ttl=60, tags=["users"], depends_on="nothing")
    old = place.cache(memory=False)(before)(load(lambda key: UserOfThen(key), UserOfThen))
    assert called(old, "ada") == UserOfThen("ada")
    upgrade = Policy(name="user", schema="user-2", ttl=60, tags=["users"], upgrade={"user-1": with_email})
    new = place.cache()(upgrade)(load(lambda key: User(key, "computed"), User))
    with assert_computed(new, 0):
        found = called(new.call, "ada")
    assert (found.value, found.status, found.tier) == (User("ada", None), "hit", place.kind)
    assert 59 < found.ttl <= 60 and found.tags == ("users",)
    # It is where everybody who needs no upgrade finds it, and no longer where it was.
    plain = place.cache(memory=False)(upgrade, upgrade=(), depends_on="nothing")(load(no_longer, User))
    assert called(plain, "ada") == User("ada", None)
    assert old.peek("ada") is None
    assert called(new, "bob") == User("bob", "computed")


@pytest.mark.parametrize("upgrade", [["1"], {"1": None}, (("1", None),)], ids=["list", "mapping", "pairs"])
def test_an_older_version_is_good_as_it_is(place, load, upgrade):
    old = place.cache()(name="price", version="1", depends_on="nothing")(load(lambda key: 1))
    assert called(old, "lamp") == 1
    new = place.cache()(name="price", version="2", upgrade=upgrade)(load(no_longer))
    assert called(new, "lamp") == 1


def test_the_nearest_of_several_is_taken(place, load):
    for version in "", "1", "2":
        old = place.cache()(name="price", version=version, depends_on="nothing")(
            load(lambda key, version=version: version)
        )
        called(old, "lamp")
        if version == "":
            called(old, "sofa")
    upgrade = {"2": str.upper, "1": str.upper, "": lambda old: "none"}
    new = place.cache()(name="price", version="3", upgrade=upgrade)(load(no_longer))
    assert called(new, "lamp") == "2"
    assert called(new, "sofa") == "none"


def test_it_lives_no_longer_for_it(load):
    clock = ManualClock()
    with Cache([open_store("memory://", clock=clock)], clock=clock) as cache:
        old = cache(name="price", version="1", ttl=60)(load(lambda key: 1))
        new = cache(name="price", version="2", ttl=600, upgrade=["1"])(load(lambda key: 2))
        called(old, "lamp")
        clock.advance(20)
        found = called(new.call, "lamp")
        assert (found.value, found.age, found.ttl) == (1, 20, 40)
        clock.advance(20)
        found = called(new.call, "lamp")
        assert (found.value, found.age, found.ttl) == (1, 40, 20)
        assert called(new.using(max_age=30), "lamp") == 2, "it is as old as it was"
        clock.advance(30)
        assert called(new, "lamp") == 2


def test_what_depended_on_source_is_found_by_all_of_its_schema(place, load):
    old = place.cache()(name="price", schema="1", depends_on="source")(load(lambda key: 1))
    called(old, "lamp")
    whole = old.key("lamp").split(":")[2]
    assert whole.startswith("1.")
    for before, value in ("1", 2), (whole, 1):
        new = place.cache()(name="price", schema=f"after {before}", upgrade=[before])(load(lambda key: 2))
        assert called(new, "lamp") == value


@pytest.mark.parametrize("verb", ["invalidate", "mark_stale", "clear"])
def test_what_is_let_go_does_not_come_back_from_before(place, load, verb):
    called(place.cache()(name="price", version="1", depends_on="nothing")(load(lambda key: 1)), "lamp")
    new = place.cache()(name="price", version="2", upgrade=["1"])(load(lambda key: 2))
    getattr(new, verb)(*(["lamp"] if verb != "clear" else []))
    assert called(new, "lamp") == 2


def test_a_refresh_and_a_prime_end_what_was_before(place, load):
    old = place.cache(memory=False)(name="price", version="1", depends_on="nothing")(load(lambda key: 1))
    new = place.cache()(name="price", version="2", upgrade=["1"])(load(lambda key: 2))
    called(old, "lamp"), called(old, "sofa")
    assert called(new.refresh, "lamp") == 2
    new.prime(3, "sofa")
    assert old.peek("lamp") is None is old.peek("sofa")


def test_peek_shows_it_and_stores_nothing_of_it(place, load):
    old = place.cache(memory=False)(name="price", version="1", depends_on="nothing")(load(lambda key: 1))
    new = place.cache(memory=False)(name="price", version="2", upgrade={"1": lambda old: -old})(
        load(no_longer)
    )
    called(old, "lamp")
    assert new.peek("lamp").value == -1 and old.peek("lamp").value == 1


def test_a_read_only_call_stores_nothing_of_it(place, load):
    old = place.cache(memory=False)(name="price", version="1", depends_on="nothing")(load(lambda key: 1))
    new = place.cache(memory=False)(name="price", version="2", upgrade={"1": lambda old: -old})(
        load(no_longer)
    )
    called(old, "lamp")
    assert called(new.using(read_only=True), "lamp") == -1
    assert old.peek("lamp").value == 1


def test_what_cannot_be_converted_is_computed(place, load, caplog, monkeypatch):
    monkeypatch.setattr(_report, "_said", set())
    called(place.cache()(name="price", version="1", depends_on="nothing")(load(lambda key: 1)), "lamp")
    new = place.cache()(name="price", version="2", upgrade={"1": lambda old: old.missing})(
        load(lambda key: 2)
    )
    with caplog.at_level(logging.WARNING, "everwarm"), assert_computed(new, 1):
        assert called(new, "lamp") == 2
    assert new.stats().errors == 1
    assert "upgrade= raised AttributeError, so the value is computed anew" in caplog.text
    with assert_computed(new, 0):
        assert called(new, "lamp") == 2


def test_a_converted_value_that_stores_cannot_have(place, load):
    called(place.cache()(name="price", version="1", depends_on="nothing")(load(lambda key: 1)), "lamp")
    policy = Policy(name="price", version="2", upgrade={"1": lambda old: object()})
    new = place.cache()(policy)(load(lambda key: 2))
    assert type(called(new, "lamp")) is object and new.stats().refused == 1
    strict = place.cache()(policy, strict=True)(load(lambda key: object()))
    with pytest.raises(ValueRefused):
        called(strict, "lamp")


def test_a_converter_that_asks_for_its_own_key_is_told(place):
    called(place.cache()(name="price", version="1", depends_on="nothing")(lambda key: 1), "lamp")
    new = place.cache()(name="price", version="2", upgrade={"1": lambda old: new("lamp")})(lambda key: 2)
    assert new("lamp") == 2 and new.stats().errors == 1


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"upgrade": "user-1"}, "not str"),
        ({"upgrade": 3}, "not int"),
        ({"upgrade": [3]}, "a schema or version is a text, not int"),
        ({"upgrade": {"1": 3}}, "what converts is a callable, not int"),
        ({"upgrade": [str(n) for n in range(9)]}, "more than 8"),
        ({"upgrade": ["1"], "depends_on": "source"}, "source"),
    ],
)
def test_what_cannot_be_meant(keywords, said):
    with pytest.raises(ConfigError, match=said) as raised:
        Policy(**keywords)
    assert "\nhint: " in str(raised.value)


def test_a_policy_with_it_is_equal_copied_and_shown():
    policy = Policy(schema="2", upgrade={"1": with_email, "0": None})
    assert policy.upgrade == (("1", with_email), ("0", None))
    assert policy.replace(ttl=3).upgrade == policy.upgrade
    assert policy == Policy(schema="2", upgrade=[("1", with_email), "0"]) and hash(policy)
    assert Policy().upgrade == ()

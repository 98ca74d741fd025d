"""Callables that could never do what they are for are refused when they are given."""

from __future__ import annotations

from functools import partial
from unittest.mock import AsyncMock, MagicMock, Mock

import pytest
from everwarm import Cache, ConfigError, Policy, cache


async def awaited(*args):
    return True


async def awaited_items(*args):
    yield True


def yielded(*args):
    yield "tag"


class Awaited:
    async def __call__(self, *args):
        return True

    async def method(self, *args):
        return True


OF_POLICIES = ["when", "key", "tags", "tags_from_result", "ttl", "fallback", "tenant"]
OF_CACHES = ["weigher", "on_remove", "on_background_error"]


@pytest.mark.parametrize(
    "given",
    [awaited, awaited_items, Awaited(), Awaited().method, partial(awaited, 1), AsyncMock()],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize("name", [*OF_POLICIES, *OF_CACHES])
def test_what_is_awaited_is_refused_where_nobody_awaits(name, given):
    with pytest.raises(ConfigError, match=f"(?s){name}= is called, not awaited.*hint: .*{name}=lambda"):
        Policy(**{name: given}) if name in OF_POLICIES else Cache(**{name: given})


def test_so_is_what_converts_and_what_a_writer_is_told():
    with pytest.raises(ConfigError, match="upgrade= is called, not awaited"):
        Policy(upgrade={"1": awaited})
    for name in "tags", "keys":
        with pytest.raises(ConfigError, match=f"{name}= is called, not awaited"):
            cache.invalidates(**{name: awaited})(lambda user: None)
        with pytest.raises(ConfigError, match=f"{name}= is called with the arguments of "):
            cache.invalidates(**{name: lambda: None})(lambda user: None)


@pytest.mark.parametrize("name", ["when", "key", "ttl", "tenant", *OF_CACHES])
def test_a_generator_runs_nothing_either(name):
    with pytest.raises(ConfigError, match=f"{name}= is called, not awaited, and this is a generator"):
        Policy(**{name: yielded}) if name in OF_POLICIES else Cache(**{name: yielded})


def test_tags_may_be_yielded():
    own = Cache()

    @own(tags=yielded, tags_from_result=yielded)
    def double(number):
        return 2 * number

    assert double(3) == 6 and double.peek(3).tags == ("tag",)


@pytest.mark.parametrize(
    "given",
    [lambda: True, lambda one, two: True, lambda one, *, two: True, partial(lambda one: True, 1)],
)
@pytest.mark.parametrize("name", ["when", "tags_from_result", "ttl", "fallback", "weigher"])
def test_what_cannot_take_its_one_argument_is_refused(name, given):
    with pytest.raises(ConfigError, match=f"{name}= is called with one argument"):
        Policy(**{name: given}) if name in OF_POLICIES else Cache(**{name: given})


def test_a_listener_takes_three():
    with pytest.raises(ConfigError, match=r"on_remove= is called with 3 arguments.*\nhint: "):
        Cache(on_remove=lambda key: None)
    Cache(on_remove=lambda key, value, cause: None)
    Cache(on_remove=lambda *told: None)


@pytest.mark.parametrize("given", [lambda: 1, lambda one, two, three: 1, lambda *, other: 1])
@pytest.mark.parametrize("name", ["key", "tags", "tenant"])
def test_what_can_take_no_call_is_refused(name, given):
    with pytest.raises(ConfigError, match=f"(?s){name}= is called with the arguments of .*load.*hint: "):

        @cache(**{name: given})
        def load(user, /, page):
            return page

    class Shop:
        with pytest.raises(ConfigError, match=f"{name}= is called with the arguments of "):

            @cache(**{name: given})
            def load(self, page):
                return page


@pytest.mark.parametrize(
    "given",
    [
        lambda user, page: 1,
        lambda user, page=0: 1,
        lambda user, *rest: 1,
        lambda *args, **kwargs: 1,
        lambda user, **kwargs: 1,
        lambda user, *, page: 1,
        partial(lambda more, user, page: 1, 3),
        partial(lambda user, page, more: 1, more=3),
        Awaited,
        Mock(),
        MagicMock(),
        print,
    ],
)
def test_what_can_take_a_call_is_taken(given):
    assert cache(lambda user, page: page, key=given) is not None
    assert cache(lambda user, page=0: page, tags=given) is not None
    assert cache(lambda *users, **pages: 1, key=given) is not None


@pytest.mark.parametrize(
    "given", [bool, len, bytes.isdigit, Mock(), lambda *args: True, lambda value=None: True]
)
def test_what_can_take_one_argument_is_taken(given):
    assert Policy(when=given).when is given

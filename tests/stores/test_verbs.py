"""The verbs of a function over stores, directly and by their a-twins."""

from __future__ import annotations

import asyncio

import pytest


class Direct:
    """The verbs as they are."""

    def __init__(self, function):
        self._function = function

    def __getattr__(self, name):
        return getattr(self._function, name)


class Awaited(Direct):
    """The a-twins, each awaited."""

    def __getattr__(self, name):
        twin = getattr(self._function, "a" + name)
        return lambda *args: asyncio.run(_value_of(twin(*args)))


async def _value_of(awaitable):
    return await awaitable


@pytest.fixture(params=[Direct, Awaited], ids=["direct", "awaited"])
def way(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["function", "coroutine"])
def both(request, place, number):
    """The same function, decorated in two caches over one store."""
    if request.param:

        async def price(sku: str) -> int:
            return next(number)

    else:

        def price(sku: str) -> int:
            return next(number)

    return tuple(place.cache(memory=False)(name="price", ttl=60)(price) for _ in range(2))


def called(function, *args):
    value = function(*args)
    return asyncio.run(_value_of(value)) if hasattr(value, "__await__") else value


def test_what_a_verb_does_is_done_in_the_store_when_it_has_returned(both, way):
    here, there = both
    verbs = way(here)
    assert verbs.peek("lamp") is None
    verbs.prime(7, "lamp")
    assert there.peek("lamp").value == verbs.peek("lamp").value == called(there, "lamp") == 7
    verbs.invalidate("lamp")
    assert there.peek("lamp") is None and called(there, "lamp") == 1
    verbs.mark_stale("lamp")
    assert called(there, "lamp") == 2
    verbs.clear()
    assert there.peek("lamp") is None and verbs.peek("lamp") is None


def test_a_twin_does_nothing_until_it_is_awaited(both):
    here, there = both
    assert called(here, "lamp") == 1
    twin = here.ainvalidate("lamp")
    assert there.peek("lamp").value == 1
    asyncio.run(_value_of(twin))
    assert there.peek("lamp") is None

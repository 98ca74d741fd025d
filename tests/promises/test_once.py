"""A value that can be used only once is its caller's alone: not stored, not shared, counted and said once."""

from __future__ import annotations

import asyncio
import io
import itertools
import warnings

import everwarm
import pytest
from everwarm import _report, lru_cache
from worlds import PATIENCE, Gate, crowd


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    monkeypatch.setattr(_report, "_said", set())


SPENT = {
    "generator": lambda: (x for x in "ab"),
    "iter of a list": lambda: iter(["a", "b"]),
    "map": lambda: map(str.lower, "AB"),
    "zip": lambda: ("".join(pair) for pair in zip("a", "b", strict=True)),
    "reversed": lambda: reversed(["b", "a"]),
    "itertools": lambda: itertools.chain("a", "b"),
    "callable_iterator": lambda: iter(iter("ab!").__next__, "!"),
}


@pytest.mark.parametrize("make", SPENT.values(), ids=SPENT)
def test_each_call_gets_an_iterator_of_its_own(world, cache, caplog, make):
    @world.cached(cache)
    def letters(x):
        return make()

    for _ in range(3):
        assert list(world.call(letters, 1)) == list(make())
    stats = letters.stats()
    assert (stats.refused, stats.entries, stats.computations) == (3, 0, 3)
    assert letters.explain(1).reason == "not_storable"
    # Loops that earlier tests left behind may be heard of at any time.
    (record,) = (record for record in caplog.records if record.name == "everwarm")
    assert record.levelname == "WARNING"
    assert "letters" in record.getMessage() and "\nhint: return a list" in record.getMessage()


def test_who_waits_gets_an_iterator_of_its_own(world, cache):
    gate, made = Gate(), []

    @world.cached(cache)
    def letters(x):
        yield gate
        made.append(x)
        return iter("ab")

    leader = world.start(letters, 1)
    gate.is_reached()
    waiting = crowd(world, letters, 4, 1)
    gate.open()
    assert [list(call.result(PATIENCE)) for call in (leader, *waiting)] == [["a", "b"]] * 5
    assert len(made) == 5 and letters.stats().entries == 0


def test_a_coroutine_of_a_plain_function_is_awaited_by_its_caller(cache, caplog):
    async def load(x):
        return x

    plain = cache(lambda x: load(x))

    async def main():
        return await plain(1), await plain(1)

    assert asyncio.run(main()) == (1, 1)
    assert (plain.stats().refused, plain.stats().entries) == (2, 0)
    (record,) = caplog.records
    assert "coroutine" in record.getMessage() and "\nhint: decorate the `async def`" in record.getMessage()


def test_what_a_cached_coroutine_function_gives_is_awaited_once_too(cache, caplog):
    @cache
    async def load(x):
        return x

    plain = cache(lambda x: load(x))

    async def main():
        await load(1)
        return await plain(1), await plain(1)

    assert asyncio.run(main()) == (1, 1)
    assert plain.stats().refused == 2 and "\nhint: decorate the `async def`" in caplog.text


def test_a_walk_through_keys_is_its_callers(cache):
    names = cache(cache.scan)
    cache.set("a", 1)
    assert list(names("a")) == list(names("a")) == ["a"]


def test_an_asynchronous_generator_of_a_plain_function_is_its_callers(cache, caplog):
    async def steps():
        yield 1

    plain = cache(lambda: steps())

    async def main():
        return [step async for step in plain()], [step async for step in plain()]

    assert asyncio.run(main()) == ([1], [1])
    assert "\nhint: decorate the asynchronous generator" in caplog.text


def test_get_or_compute_and_lru_cache_keep_to_it(cache, caplog):
    for _ in range(2):
        assert list(cache.get_or_compute("a", lambda: iter("ab"))) == ["a", "b"]
    assert "a" not in cache and cache.stats().refused == 2

    async def main():
        async def compute():
            return iter("ab")

        return [list(await cache.aget_or_compute("a", compute)) for _ in range(2)]

    assert asyncio.run(main()) == [["a", "b"]] * 2
    assert cache.stats().refused == 4 and len(caplog.records) == 1
    letters = lru_cache(lambda: iter("ab"))
    assert list(letters()) == list(letters()) == ["a", "b"]
    assert letters.cache_info().currsize == 0


def test_what_is_primed_is_not_stored_either(cache, caplog):
    letters = cache(lambda x: "computed")
    letters.prime(iter("ab"), 1)
    assert letters.peek(1) is None and letters.stats().refused == 1
    assert "\nhint: return a list" in caplog.text


class Cursor:
    """Its class decides what a second reading gives."""

    def __iter__(self):
        return self

    def __next__(self):
        raise StopIteration


@pytest.mark.parametrize(
    "make", [Cursor, lambda: io.StringIO("a"), lambda: range(3), lambda: [1], dict, object]
)
def test_other_values_are_stored(cache, caplog, make):
    load = cache(lambda: make())
    assert load() is load() and load.stats().refused == 0
    assert not caplog.records


def test_a_future_is_stored_since_it_can_be_awaited_again(cache):
    async def main():
        ready = cache(lambda: asyncio.get_running_loop().create_task(asyncio.sleep(0, 1)))
        return await ready(), await ready(), ready.stats().hits

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(main()) == (1, 1, 1)


def test_under_isolation_it_is_no_failure_of_the_copy(cache):
    letters = cache(isolate=True)(lambda: iter("ab"))
    assert list(letters()) == list(letters()) == ["a", "b"]
    assert (letters.stats().errors, letters.stats().refused) == (0, 2)


def test_the_log_speaks_once_for_each_function_and_kind(cache, caplog):
    one, other = cache(lambda x: iter("ab")), everwarm.Cache()(_another)
    for number in range(3):
        one(number), other(number)
    assert len(caplog.records) == 2


def _another(x):
    return iter("ab")

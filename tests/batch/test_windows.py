"""Each id of a batch has windows of its own; what is refreshed together is one call of the function."""

from __future__ import annotations

import asyncio
import itertools
from contextvars import ContextVar

import pytest
from everwarm import Cache
from worlds import PATIENCE, Loops, Threads, until


@pytest.fixture(params=["threads", "loop"])
def world(request):
    made = {"threads": Threads, "loop": lambda: Loops(1)}[request.param]()
    yield made
    made.close()


class Versions:
    """A function of ids whose values tell when they were computed; it fails while it is told to."""

    def __init__(self):
        self.calls, self.number, self.fails = [], itertools.count(1), False

    def batch(self, world, cache, **keywords):
        def versions(ids: list[int]) -> dict[int, tuple[int, int]]:
            self.calls.append(list(ids))
            if self.fails:
                raise LookupError(ids)
            number = next(self.number)
            return {each: (each, number) for each in ids if each >= 0}

        return cache.batch(name="versions", **keywords)(world.cached(lambda function: function)(versions))


@pytest.fixture
def versions():
    return Versions()


def test_old_ids_are_served_and_refreshed_in_one_call(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, stale_while_revalidate=10)
    assert world.call(batch, [1, 2, 3]) == [(1, 1), (2, 1), (3, 1)]
    clock.advance(5)
    assert world.call(batch, [4]) == [(4, 2)]
    clock.advance(6)
    assert world.call(batch, [1, 4, 2, 5, 3])[:3] == [(1, 1), (4, 2), (2, 1)]
    until(lambda: all(batch.peek(each).value[1] > 2 for each in (1, 2, 3)))
    assert sorted(versions.calls[2:]) == [[1, 2, 3], [5]]
    assert batch.peek(4).value == (4, 2)
    stats = batch.stats()
    assert stats.stale == 3
    assert stats.calls == stats.hits + stats.misses + stats.stale + stats.bypass


def test_the_status_of_an_old_id_is_stale(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, stale_while_revalidate=10)
    world.call(batch, [1])
    clock.advance(15)
    told = world.call(batch.call, [1, 2])
    assert [each.status for each in told] == ["stale", "miss"]
    assert told[0].value == (1, 1)


def test_where_the_function_fails_old_ids_are_served(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, stale_if_error=100)
    world.call(batch, [1, 2])
    clock.advance(20)
    versions.fails = True
    assert world.call(batch, [1, 2]) == [(1, 1), (2, 1)]
    assert versions.calls == [[1, 2], [1, 2]]
    # Another id has nothing old, and its caller cannot be given a part.
    clock.advance(50)
    assert isinstance(world.start(batch, [1, 3]).exception(PATIENCE), LookupError)
    assert world.call(batch, [1]) == [(1, 1)]
    clock.advance(100)
    assert isinstance(world.start(batch, [1]).exception(PATIENCE), LookupError)


def test_what_is_not_there_is_remembered_as_long_as_negative_ttl_says(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=100, negative_ttl=5)
    assert world.call(batch, [1, -1]) == [(1, 1), None]
    clock.advance(4)
    assert world.call(batch, [1, -1]) == [(1, 1), None]
    clock.advance(2)
    assert world.call(batch, [1, -1]) == [(1, 1), None]
    assert versions.calls == [[1, -1], [-1]]


def test_the_refreshes_of_single_ids_are_collected_too(cache, clock, versions):
    world = Loops(1)
    try:
        batch = versions.batch(world, cache, ttl=10, stale_while_revalidate=10, collect="50ms")
        world.call(batch, [1, 2, 3])
        clock.advance(15)

        async def all_of_them():
            return await asyncio.gather(*(batch.load(each) for each in (1, 2, 3)))

        assert world.run(all_of_them).result(PATIENCE) == [(1, 1), (2, 1), (3, 1)]
        until(lambda: batch.peek(3).value == (3, 2))
        assert [sorted(ids) for ids in versions.calls] == [[1, 2, 3], [1, 2, 3]]
    finally:
        world.close()


def test_old_ids_of_a_store_are_served_and_refreshed_once(world, versions, tmp_path):
    first, second = (Cache(["memory://", f"disk://{tmp_path}/store"]) for _ in range(2))
    windows = {"ttl": 100, "stale_while_revalidate": 100}
    world.call(versions.batch(world, first, **windows), [1, 2, 3])
    batch = versions.batch(world, second, **windows)
    for each in (1, 2, 3):
        batch.mark_stale(each)
    assert world.call(batch, [1, 2, 3]) == [(1, 1), (2, 1), (3, 1)]
    until(lambda: all(batch.peek(each).value == (each, 2) for each in (1, 2, 3)))
    assert versions.calls == [[1, 2, 3], [1, 2, 3]]
    first.close()
    second.close()


def test_ids_that_are_due_are_hits_and_refreshed_ahead_in_one_call(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, refresh_ahead=0.5)
    world.call(batch, [1, 2])
    clock.advance(2)
    world.call(batch, [3])
    clock.advance(3)
    assert world.call(batch, [1, 2, 3]) == [(1, 1), (2, 1), (3, 2)]
    until(lambda: all(batch.peek(each).value == (each, 3) for each in (1, 2)))
    assert sorted(versions.calls[2]) == [1, 2]
    stats = batch.stats()
    assert (stats.hits, stats.misses, stats.refreshes) == (3, 3, 2)


def test_each_id_that_is_read_lives_on(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, sliding=0.5)
    world.call(batch, [1, 2])
    clock.advance(6)
    world.call(batch, [1])
    clock.advance(5)
    assert world.call(batch, [1, 2]) == [(1, 1), (2, 2)]


def test_each_id_has_the_ttl_of_its_own_value(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=lambda value: 10 * value[0], stale_while_revalidate=5)
    world.call(batch, [1, 2])
    clock.advance(12)
    told = world.call(batch.call, [1, 2])
    assert [(each.status, each.value) for each in told] == [("stale", (1, 1)), ("hit", (2, 1))]


def test_each_id_in_a_row_of_nothing_is_remembered_longer(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=60, negative_ttl=5, negative_growth=2)
    world.call(batch, [-1])
    clock.advance(5)
    world.call(batch, [-1, -2])
    clock.advance(5)
    assert world.call(batch, [-1, -2]) == [None, None]
    assert versions.calls == [[-1], [-1, -2], [-2]]


def test_an_invalidated_id_is_gone_for_every_window(world, cache, clock, versions):
    batch = versions.batch(world, cache, ttl=10, stale_while_revalidate=100, stale_if_error=100)
    world.call(batch, [1, 2])
    clock.advance(20)
    batch.invalidate(1)
    assert world.call(batch, [1])[0] == (1, 2)


def test_the_error_of_a_refresh_is_told(world, clock, versions):
    told = []
    cache = Cache(clock=clock, on_background_error=told.append)
    batch = versions.batch(world, cache, ttl=10, stale_if_error=60, stale_while_revalidate=60, chunk=1)
    world.call(batch, [1, 2])
    clock.advance(11)
    versions.fails = True
    assert world.call(batch, [1, 2]) == [(1, 1), (2, 2)]
    until(lambda: told)
    # Each chunk has been tried, and failed by itself.
    assert versions.calls[2:] == [[1], [2]]
    assert [error.args for error in told] == [([2],)]


@pytest.mark.parametrize(("given", "seen"), [("copy", "ada"), ("empty", None)])
def test_a_refresh_has_the_context_that_the_policy_says(world, cache, clock, given, seen):
    who, names = ContextVar("who", default=None), []

    def names_of(ids):
        names.append(who.get())
        return dict.fromkeys(ids, 1)

    decorate = cache.batch(name="names", ttl=10, stale_while_revalidate=60, refresh_context=given)
    batch = decorate(world.cached(lambda function: function)(names_of))
    world.call(batch, [1])
    clock.advance(11)

    def call():
        who.set("ada")
        return batch([1])

    assert world.run(call).result(PATIENCE) == [1]
    until(lambda: len(names) == 2)
    assert names == [None, seen]

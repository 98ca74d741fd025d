"""Single ids that are asked for at about the same time become one call of the function."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextvars import ContextVar, copy_context

import pytest
from everwarm import Cache, ConfigError, Recursion
from worlds import PATIENCE, Gate, Loops, Threads, until

# Longer than any test lasts: what ends a window then is its chunk.
LONG = 2 * PATIENCE


@pytest.fixture(params=["threads", "loop"])
def world(request):
    made = {"threads": Threads, "loop": lambda: Loops(1)}[request.param]()
    yield made
    made.close()


def same(function):
    return function


@pytest.fixture
def calls():
    return []


@pytest.fixture
def make(world, calls):
    """Makes a batch that notes what its function is called with."""

    def made(cache=None, **keywords):
        def tens(ids, scale=1):
            calls.append(sorted(ids))
            return {each: each * 10 * scale for each in ids if each >= 0}

        return (cache or Cache()).batch(**keywords)(world.cached(same)(tens))

    return made


@pytest.mark.proves("batch.collect")
def test_single_ids_become_one_call(world, make, calls):
    batch = make(collect=LONG, chunk=4)
    started = [world.start(batch.load, each) for each in (1, 2, -3)]
    until(lambda: batch.stats().misses == 3)
    # Until then nobody has called the function.
    assert calls == []
    last = world.start(batch.load, 4)
    assert [each.result(PATIENCE) for each in (*started, last)] == [10, 20, None, 40]
    assert calls == [[-3, 1, 2, 4]]
    assert world.call(batch.load, 2) == 20
    stats = batch.stats()
    assert (stats.computations, stats.hits, stats.misses) == (4, 1, 4)


def test_ids_that_are_collected_for_a_set_get_their_own_values(world):
    names = [f"name {number}" for number in range(16)]

    def lengths(ids: set):
        return {each: each.upper() for each in ids}

    batch = Cache().batch(collect=LONG, chunk=len(names))(_shaped_for_sets(world, lengths))
    started = [world.start(batch.load, name) for name in names]
    assert [each.result(PATIENCE) for each in started] == [name.upper() for name in names]


def _shaped_for_sets(world, body):
    shaped = world.cached(same)(body)
    shaped.__annotations__ = {"ids": "set"}
    return shaped


def test_a_window_ends_by_its_time(world, make, calls):
    batch = make(collect="2ms")
    assert world.call(batch.load, 1) == 10
    assert calls == [[1]]


def test_who_asks_for_one_id_follows_and_is_not_collected_twice(world, make, calls):
    batch = make(collect=LONG, chunk=2)
    started = [world.start(batch.load, 1) for _ in range(3)]
    until(lambda: batch.stats().followers == 2)
    started.append(world.start(batch.load, 2))
    assert [each.result(PATIENCE) for each in started] == [10, 10, 10, 20]
    assert calls == [[1, 2]]


def test_calls_with_other_arguments_are_other_calls(world, make, calls):
    batch = make(collect=LONG, chunk=2)
    started = [world.start(batch.load, *args) for args in ((1,), (1, 2), (2,), (2, 2))]
    assert [each.result(PATIENCE) for each in started] == [10, 20, 20, 40]
    assert sorted(calls) == [[1, 2], [1, 2]]


def test_ids_that_are_equal_and_not_the_same_are_not_one_call(world, calls):
    def kinds(ids):
        calls.append(ids)
        return {each: type(each).__name__ for each in ids}

    batch = Cache().batch(collect="20ms")(world.cached(same)(kinds))
    started = [world.start(batch.load, each) for each in (1, True, 1.0)]
    assert [each.result(PATIENCE) for each in started] == ["int", "bool", "float"]
    assert len(calls) == 3


def test_what_a_mapping_says_of_an_id_is_not_mixed_up(world, calls):
    def priced(basket: dict[str, int]):
        calls.append(basket)
        return {sku: len(sku) * count for sku, count in basket.items()}

    shaped = world.cached(same)(priced)
    shaped.__annotations__ = priced.__annotations__
    batch = Cache().batch(collect="20ms")(shaped)
    started = [world.start(batch.load, basket) for basket in ({"tv": 1}, {"lamp": 1}, {"tv": 3})]
    assert [each.result(PATIENCE) for each in started] == [2, 4, 6]


def test_the_error_of_the_function_is_everybodys_own(world, calls):
    def fails(ids):
        calls.append(sorted(ids))
        raise LookupError(ids)

    batch = Cache().batch(collect=LONG, chunk=2)(world.cached(same)(fails))
    started = [world.start(batch.load, each) for each in (1, 2)]
    errors = [each.exception(PATIENCE) for each in started]
    assert [type(error) for error in errors] == [LookupError] * 2
    assert errors[0] is not errors[1]
    assert calls == [[1, 2]]
    assert batch.stats().entries == 0


def test_a_cancelled_leader_leaves_the_others_to_gather_anew():
    world, calls, gate = Loops(1), [], Gate()

    def tens(ids):
        calls.append(sorted(ids))
        if len(calls) == 1:
            yield gate
        return {each: each * 10 for each in ids}

    batch = Cache().batch(collect=0.01, chunk=3)(world.cached(same)(tens))
    try:
        first = world.start(batch.load, 1)
        others = [world.start(batch.load, each) for each in (2, 3)]
        gate.is_reached()
        first.cancel()
        assert [each.result(PATIENCE) for each in others] == [20, 30]
        assert calls == [[1, 2, 3], [2, 3]]
    finally:
        world.close()


def test_a_leader_that_is_cancelled_while_it_collects_calls_nothing():
    world, calls = Loops(1), []

    def tens(ids):
        calls.append(sorted(ids))
        return {each: each * 10 for each in ids}

    batch = Cache().batch(collect=LONG, chunk=3)(world.cached(same)(tens))
    try:
        first = world.start(batch.load, 1)
        second = world.start(batch.load, 2)
        until(lambda: batch.stats().misses == 2)
        first.cancel()
        until(lambda: first.done())
        others = [world.start(batch.load, each) for each in (3, 4)]
        assert [each.result(PATIENCE) for each in (second, *others)] == [20, 30, 40]
        assert calls == [[2, 3, 4]]
    finally:
        world.close()


def test_what_is_collected_waits_for_none_of_its_own(world):
    """The function is called for one, and asks for another that waits for that very call."""
    cache, batches = Cache(), []

    def load(each):
        return batches[0].load(each)

    if world.is_async:

        async def chained(ids):
            return {each: await load(2) for each in ids}
    else:

        def chained(ids):
            return {each: load(2) for each in ids}

    batches.append(cache.batch(collect=LONG, chunk=2)(chained))
    started = [world.start(load, each) for each in (1, 2)]
    assert [type(each.exception(PATIENCE)) for each in started] == [Recursion] * 2


def test_tenants_of_a_context_are_not_collected_together():
    tenant, calls = ContextVar("tenant"), []

    async def mine(ids):
        calls.append((tenant.get(), sorted(ids)))
        return {each: (tenant.get(), each) for each in ids}

    batch = Cache(tenant=tenant).batch(collect="5ms")(mine)

    async def main():
        tasks = []
        for name in ("a", "b"):
            context = copy_context()
            context.run(tenant.set, name)
            tasks += [context.run(asyncio.ensure_future, batch.load(each)) for each in (1, 2)]
        return await asyncio.gather(*tasks)

    assert asyncio.run(main()) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert sorted(calls) == [("a", [1, 2]), ("b", [1, 2])]


def test_loops_collect_apart():
    calls = []

    async def tens(ids):
        calls.append(sorted(ids))
        return {each: each * 10 for each in ids}

    world, batch = Loops(2), Cache().batch(collect="5ms")(tens)
    try:
        started = [world.start(batch.load, each) for each in range(8)]
        assert [each.result(PATIENCE) for each in started] == [each * 10 for each in range(8)]
        assert sorted(each for ids in calls for each in ids) == list(range(8))
    finally:
        world.close()


def test_a_load_of_data_as_dataloader_has_it():
    calls = []

    async def users(ids: list[int]) -> list[str | None]:
        calls.append(ids)
        return [f"user {each}" if each < 90 else None for each in ids]

    async def main():
        batch = Cache().batch(collect="5ms")(users)
        found = await asyncio.gather(*(batch.load(each % 50) for each in range(100)), batch.load(95))
        assert found[:100] == [f"user {each % 50}" for each in range(100)]
        assert found[100] is None

    asyncio.run(main())
    assert [sorted(ids) for ids in calls] == [[*range(50), 95]]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_collects_anew():
    batch = Cache().batch(collect=0.3)(lambda ids: {each: each * 10 for each in ids})
    leader = threading.Thread(target=batch.load, args=(1,))
    leader.start()
    until(lambda: batch.stats().misses == 1)
    child = os.fork()
    if child == 0:
        os._exit(0 if batch.load(2) == 20 else 1)
    deadline = time.monotonic() + PATIENCE
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    leader.join()
    assert ended == (child, 0)


@pytest.mark.parametrize("collect", [0, -1, "2 ms", float("nan")])
def test_a_window_without_a_time_is_refused(collect):
    with pytest.raises(ConfigError):
        Cache().batch(collect=collect)(lambda ids: ids)

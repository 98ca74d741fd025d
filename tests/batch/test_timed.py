"""Ids of a batch that are in use are computed anew as time goes by, together in as few calls as can be."""

from __future__ import annotations

import itertools
from contextvars import ContextVar

import pytest
from everwarm import Cache
from everwarm.testing import open_store, run_due
from worlds import PATIENCE, Loops, Threads, until

TENANT = ContextVar("TENANT")


@pytest.fixture(params=["threads", "loop"])
def world(request):
    made = {"threads": Threads, "loop": lambda: Loops(1)}[request.param]()
    yield made
    made.close()


@pytest.fixture(params=["memory", "stores"])
def cache(request, clock):
    stores = "memory://" if request.param == "memory" else ["memory://", open_store("memory://", clock=clock)]
    with Cache(stores, namespace="shop", clock=clock) as cache:
        yield cache


@pytest.fixture
def calls():
    return []


@pytest.fixture
def make(world, calls):
    """Makes a batch whose values tell in which round they were computed."""

    def made(cache, kind="list", **keywords):
        rounds = itertools.count(1)

        def versions(ids, scale=1):
            number = next(rounds)
            calls.append((sorted(ids), scale))
            return {each: (each, number) for each in ids}

        shaped = world.cached(lambda function: function)(versions)
        shaped.__annotations__ = {"ids": kind}
        return cache.batch(name="versions", ttl=60, refresh_every=20, **keywords)(shaped)

    return made


def reads(world, batch, *args):
    """Twice, so that it is in use."""
    world.call(batch, *args)
    return world.call(batch, *args)


@pytest.mark.parametrize("kind", ["list", "set"])
def test_what_was_read_is_computed_anew_by_one_call(world, cache, clock, make, calls, kind):
    batch = make(cache, kind)
    ids = {1, 2, 3} if kind == "set" else [1, 2, 3]
    reads(world, batch, ids)
    clock.advance(19)
    assert run_due(cache) == 0
    clock.advance(1)
    assert run_due(cache) == 3
    until(lambda: all(batch.peek(each).value == (each, 2) for each in (1, 2, 3)))
    assert calls == [([1, 2, 3], 1)] * 2
    assert batch.stats().refreshes == 3
    # Only one of them was read since.
    assert world.call(batch, [2]) == [(2, 2)]
    clock.advance(20)
    assert run_due(cache) == 1
    until(lambda: batch.peek(2).value == (2, 3))
    assert calls[2:] == [([2], 1)]


def test_chunks_and_other_arguments_are_calls_of_their_own(world, cache, clock, make, calls):
    batch = make(cache, chunk=2)
    reads(world, batch, [1, 2, 3])
    reads(world, batch, [1], 7)
    calls.clear()
    clock.advance(20)
    assert run_due(cache) == 4
    until(lambda: len(calls) == 3)
    assert sorted(calls) == [([1], 7), ([1, 2], 1), ([3], 1)]


def test_ids_that_are_equal_and_not_the_same_are_calls_of_their_own(world, cache, clock, make, calls):
    batch = make(cache)
    for ids in ([1], [True]):
        reads(world, batch, ids)
    calls.clear()
    clock.advance(20)
    assert run_due(cache) == 2
    until(lambda: len(calls) == 2)
    assert {type(ids[0]) for ids, _ in calls} == {int, bool}


def test_a_failure_keeps_the_values(world, cache, clock, calls):
    fails = []

    def versions(ids):
        calls.append(sorted(ids))
        if fails:
            raise ValueError("no")
        return {each: each for each in ids}

    batch = cache.batch(ttl=60, refresh_every=20)(world.cached(lambda function: function)(versions))
    assert reads(world, batch, [1, 2]) == [1, 2]
    fails.append(True)
    clock.advance(20)
    assert run_due(cache) == 2
    until(lambda: len(calls) == 2)
    assert [batch.peek(each).value for each in (1, 2)] == [1, 2]


def test_what_was_invalidated_or_refreshed_meanwhile_is_left_alone(world, cache, clock, make, calls):
    batch = make(cache)
    reads(world, batch, [1, 2, 3])
    clock.advance(10)
    world.call(batch.refresh, [1])
    calls.clear()
    clock.advance(10)
    assert run_due(cache) == 3
    until(lambda: calls)
    assert calls == [([2, 3], 1)]


def test_each_tenant_has_ids_of_its_own(world, clock, make, calls):
    with Cache(tenant=TENANT, clock=clock) as cache:
        batch = make(cache)

        for tenant in ("a", "b"):
            world.run(_as_tenant(world, tenant, batch)).result(PATIENCE)
        calls.clear()
        clock.advance(20)
        assert run_due(cache) == 2
        until(lambda: len(calls) == 2)


def _as_tenant(world, tenant, batch):
    """Reads an id twice, in a context of that tenant."""

    def in_thread():
        TENANT.set(tenant)
        return batch([1]), batch([1])

    async def in_task():
        TENANT.set(tenant)
        return await batch([1]), await batch([1])

    return in_task if world.is_async else in_thread


def test_the_thread_sees_to_it(world):
    with Cache() as cache:
        rounds = itertools.count(1)

        def versions(ids):
            number = next(rounds)
            return dict.fromkeys(ids, number)

        batch = cache.batch(ttl=30, refresh_every=0.1)(world.cached(lambda function: function)(versions))
        assert reads(world, batch, [1, 2]) == [1, 1]
        until(lambda: batch.peek(1).value == batch.peek(2).value == 2)

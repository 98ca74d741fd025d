"""Old values in place of waiting: at a soft limit, at a hard one, and where no permit is free."""

from __future__ import annotations

import asyncio
import concurrent.futures
from contextvars import ContextVar

import pytest
from everwarm import ConfigError, Policy, Timeout, background_stats
from worlds import PATIENCE, Gate, adds_up, until

who = ContextVar("who", default="nobody")


def aged(world, cache, clock, **policy):
    """A function with an old value of 1, whose further computations stand at a gate and give 2."""
    gate, computed = Gate(), []

    @world.cached(cache(ttl=10, stale_if_error=60, **policy))
    def load(key):
        computed.append(key)
        if len(computed) > 1:
            yield gate
        return len(computed)

    assert world.call(load, 1) == 1
    clock.advance(11)
    return load, gate


@pytest.mark.proves("Policy.soft_timeout")
def test_after_a_soft_limit_the_old_value_is_served_and_the_late_one_stored(world, cache, clock):
    load, gate = aged(world, cache, clock, soft_timeout=0.05)
    call = world.start(load.call, 1)
    gate.is_reached()
    until(lambda: call.done() or gate.open_after(5))
    result = call.result(PATIENCE)
    assert (result.value, result.status) == (1, "stale")
    gate.open()
    until(lambda: load.peek(1).value == 2)
    assert world.call(load, 1) == 2
    stats = adds_up(load, 3)
    assert (stats.computations, stats.stale, stats.hits) == (2, 1, 1)


@pytest.mark.proves("using.soft_timeout")
def test_one_call_may_have_a_soft_limit(world, cache, clock):
    load, gate = aged(world, cache, clock)
    call = world.start(load.using(soft_timeout=0.05), 1)
    gate.is_reached()
    until(lambda: call.done() or gate.open_after(5))
    assert call.result(PATIENCE) == 1
    gate.open()
    until(lambda: load.peek(1).value == 2)


def test_without_an_old_value_there_is_no_soft_limit(world, cache):
    gate = Gate()

    @world.cached(cache(ttl=10, stale_if_error=60, soft_timeout=0.02))
    def load(key):
        yield gate
        return [key]

    call = world.start(load, 1)
    gate.is_reached()
    assert concurrent.futures.wait([call], 0.2).not_done, "it left without a value"
    gate.open()
    assert call.result(PATIENCE) == [1]


def test_what_was_invalidated_is_no_old_value(world, cache, clock):
    load, gate = aged(world, cache, clock, soft_timeout=0.05, hard_timeout=0.2)
    load.invalidate(1)
    with pytest.raises(Timeout):
        world.call(load, 1)
    gate.open()


def test_at_a_hard_limit_the_old_value_is_served_too(world, cache, clock):
    load, gate = aged(world, cache, clock, hard_timeout=0.05)
    result = world.call(load.call, 1)
    assert (result.value, result.status) == (1, "stale")
    gate.open()
    until(lambda: load.peek(1).value == 2)


def test_who_is_in_time_gets_the_new_value(world, cache, clock):
    load, gate = aged(world, cache, clock, soft_timeout=20, hard_timeout=30)
    gate.open()
    assert world.call(load, 1) == 2


def test_where_no_permit_is_free_the_old_value_is_served_at_once(world, cache, clock):
    load, gate = aged(world, cache, clock, max_computations=1)
    other = world.start(load, 2)
    gate.is_reached()
    result = world.call(load.call, 1)
    assert (result.value, result.status) == (1, "stale")
    gate.open()
    assert other.result(PATIENCE) == 2
    stats = adds_up(load, 3)
    assert (stats.stale, stats.computations) == (1, 3)


def test_a_refresh_without_a_permit_is_left_to_a_later_call(world, cache, clock):
    gate, computed = Gate(), []

    @world.cached(cache(ttl=10, stale_while_revalidate=600, max_computations=1))
    def load(key):
        computed.append(key)
        if len(computed) > 1:
            yield gate
        return len(computed)

    world.call(load, 1)
    other = world.start(load, 2)
    gate.is_reached()
    clock.advance(11)
    before = background_stats().done
    assert world.call(load, 1) == 1
    until(lambda: background_stats().done > before)
    gate.open()
    assert other.result(PATIENCE) == 2
    assert computed == [1, 2]
    assert world.call(load, 1) == 1
    until(lambda: computed == [1, 2, 1])


@pytest.mark.proves("Policy.refresh_context")
@pytest.mark.parametrize(("context", "seen"), [("copy", "Ada"), ("empty", "nobody")])
def test_a_refresh_has_the_context_of_its_caller_or_none(world, cache, clock, context, seen):
    found = []

    @world.cached(cache(ttl=10, stale_while_revalidate=60, refresh_context=context))
    def load(key):
        found.append(who.get())
        return key

    world.call(load, 1)
    clock.advance(11)
    if world.is_async:

        async def call():
            who.set("Ada")
            return await load(1)

        world.run(call).result(PATIENCE)
    else:

        def call():
            who.set("Ada")
            return load(1)

        world.run(call).result(PATIENCE)
    until(lambda: len(found) == 2)
    assert found == ["nobody", seen]


def test_a_refresh_context_is_one_of_two():
    with pytest.raises(ConfigError, match="refresh_context(.|\n)*hint: "):
        Policy(refresh_context="mine")


def test_a_soft_limit_wants_an_old_value_and_a_later_hard_one():
    with pytest.raises(ConfigError, match="soft_timeout does nothing(.|\n)*hint: "):
        Policy(ttl=60, soft_timeout=1)
    with pytest.raises(ConfigError, match="soft_timeout does nothing(.|\n)*hint: "):
        Policy(ttl=60, stale_if_error=60, soft_timeout=2, hard_timeout=1)


def test_a_hundred_tasks_at_a_soft_limit(cache, clock):
    gate, computed = asyncio.Event(), []

    @cache(ttl=10, stale_if_error=60, soft_timeout=0.02)
    async def load(key):
        computed.append(key)
        if len(computed) > 100:
            await gate.wait()
        return len(computed) > 100

    async def main():
        first = await asyncio.gather(*(load(key) for key in range(100)))
        clock.advance(11)
        served = await asyncio.gather(*(load(key) for key in range(100)))
        assert not any(first) and not any(served)
        assert background_stats().tasks >= 100
        gate.set()
        while sum(load.peek(key).value for key in range(100)) < 100:
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), PATIENCE))
    assert load.stats().stale == 100

"""A call that waits for itself raises; one that would wait in a circle with others computes; nobody hangs."""

from __future__ import annotations

import asyncio

import pytest
from everwarm import Recursion
from worlds import PATIENCE, Gate, Threads, adds_up, until

WAYS = {
    "awaits": lambda load: load(1),
    "create_task": lambda load: asyncio.create_task(_awaited(load)),
    "gather": lambda load: asyncio.gather(load(1), load(1)),
    "wait_for": lambda load: asyncio.wait_for(load(1), PATIENCE),
    "shield": lambda load: asyncio.shield(load(1)),
    "to_thread": lambda load: asyncio.to_thread(lambda: asyncio.run(_awaited(load))),
}


async def _awaited(load):
    return await load(1)


@pytest.mark.parametrize("way", WAYS)
def test_an_async_call_that_waits_for_itself_raises(cache, way):
    @cache
    async def load(key):
        return await WAYS[way](load)

    with pytest.raises(Recursion, match="load waits for itself(.|\n)*hint:"):
        asyncio.run(asyncio.wait_for(load(1), PATIENCE))


def _called(load):
    return load(1)


async def _called_in_thread(load):
    return await asyncio.to_thread(load, 1)


SYNC_WAYS = {
    "calls": _called,
    "a loop of its own": lambda load: asyncio.run(_called_in_thread(load)),
}


@pytest.mark.parametrize("way", SYNC_WAYS)
def test_a_sync_call_that_waits_for_itself_raises(cache, way):
    @cache
    def load(key):
        return SYNC_WAYS[way](load)

    with pytest.raises(Recursion, match="load waits for itself(.|\n)*hint:"):
        Threads().start(load, 1).result(PATIENCE)


def test_a_call_through_another_function_that_waits_for_itself_raises(world, cache):
    if world.is_async:

        @cache
        async def price(sku):
            return await offer(sku)

        @cache
        async def offer(sku):
            return await price(sku)
    else:

        @cache
        def price(sku):
            return offer(sku)

        @cache
        def offer(sku):
            return price(sku)

    for _ in range(2):
        with pytest.raises(Recursion, match="price waits for itself"):
            world.call(price, "a")
    assert price.stats().calls == 4 and adds_up(offer, 2).computations == 2


def test_a_recursive_function_over_other_keys_computes_each_once(world, cache):
    if world.is_async:

        @cache
        async def fibonacci(n):
            return n if n < 2 else await fibonacci(n - 1) + await fibonacci(n - 2)
    else:

        @cache
        def fibonacci(n):
            return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

    assert world.call(fibonacci, 60) == 1548008755920
    assert fibonacci.stats().computations == 61


def test_a_task_that_outlives_the_computation_that_made_it_may_ask_for_its_key(cache):
    tasks = []

    @cache
    async def load(key):
        if not tasks:
            gate = Gate()
            tasks.append((gate, asyncio.create_task(later(gate))))
        return key

    async def later(gate):
        await gate.pass_as_task()
        load.invalidate(1)
        return await load(1)

    async def main():
        assert await load(1) == 1
        gate, task = tasks[0]
        gate.open()
        return await asyncio.wait_for(task, PATIENCE)

    assert asyncio.run(main()) == 1
    assert load.stats().computations == 2


def test_two_calls_that_ask_for_each_others_key_compute(world, cache):
    gates = {"a": Gate(), "b": Gate()}
    other = {"a": "b", "b": "a"}
    outermost = set()

    if world.is_async:

        @cache
        async def load(key):
            if key in outermost:
                return key
            outermost.add(key)
            await gates[key].pass_as_task()
            return key + await load(other[key])
    else:

        @cache
        def load(key):
            if key in outermost:
                return key
            outermost.add(key)
            gates[key].pass_as_thread()
            return key + load(other[key])

    calls = [world.start(load, key) for key in "ab"]
    for gate in gates.values():
        gate.is_reached()
    for gate in gates.values():
        gate.open()
    # One of the two closes the circle and computes for itself; the other may have its value from the flight.
    assert sorted(call.result(PATIENCE)[0] for call in calls) == ["a", "b"]
    stats = adds_up(load, 4)
    assert stats.cycles >= 1
    assert stats.computations == 2 + stats.cycles


def test_a_sync_call_that_would_stop_the_loop_its_leader_needs_computes(cache):
    """A task leads `page`; a thread leads `menu` and follows `page`; the loop then asks for `menu` itself."""
    gate, computed = Gate(), []

    @cache
    async def page(key):
        await gate.pass_as_task()
        return "page"

    @cache
    def menu(key):
        computed.append(key)
        return asyncio.run(_awaited(page)) if len(computed) == 1 else "alone"

    async def main():
        leader = asyncio.create_task(_awaited(page))
        await asyncio.to_thread(gate.is_reached)
        thread = Threads().start(menu, 1)
        await asyncio.to_thread(until, lambda: page.stats().followers == 1)
        assert menu(1) == "alone"
        gate.open()
        assert await leader == "page"
        return await asyncio.wait_for(asyncio.wrap_future(thread), PATIENCE)

    assert asyncio.run(main()) == "page"
    assert menu.stats().cycles == 1 and adds_up(menu, 2).computations == 2
    assert menu.peek(1).value == "page", "what was computed alone is not stored"


def test_no_flight_is_left_after_a_recursion(world, cache):
    if world.is_async:

        @cache
        async def load(key):
            return await load(key) if key else "zero"
    else:

        @cache
        def load(key):
            return load(key) if key else "zero"

    for _ in range(3):
        with pytest.raises(Recursion, match="hint:") as caught:
            world.call(load, 1)
        assert isinstance(caught.value, RecursionError)
    assert world.call(load, 0) == "zero"

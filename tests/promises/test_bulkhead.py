"""How many computations run at once: never more, and each permit comes back."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everwarm import Cache, Timeout
from worlds import PATIENCE, Gate, Loops, Threads, adds_up, until


class Busy:
    """Counts what runs at once."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


def bounded(owner, most, **policy):
    """A decorator whose functions, or whose cache's functions, compute no more than ``most`` at once."""
    if owner == "Policy":
        return Cache()(max_computations=most, **policy)
    return Cache(max_computations=most)(**policy)


@pytest.fixture(params=["Policy", "Cache"])
def owner(request):
    return request.param


def no_more_run_than(world, owner):
    busy, gates = Busy(), [Gate() for _ in range(5)]

    @world.cached(bounded(owner, 2))
    def load(key):
        with busy:
            yield gates[key]
        return [key]

    calls = [world.start(load, key) for key in range(5)]
    until(lambda: load.stats().misses == 5 and busy.now >= 2)
    for gate in gates:
        gate.open()
    assert [call.result(PATIENCE) for call in calls] == [[key] for key in range(5)]
    assert busy.most == 2, "more ran at once"
    assert adds_up(load, 5).computations == 5


@pytest.mark.proves("Policy.max_computations")
def test_no_more_computations_of_a_function_run_at_once(world):
    no_more_run_than(world, "Policy")


@pytest.mark.proves("Cache.max_computations")
def test_no_more_computations_of_a_cache_run_at_once(world):
    no_more_run_than(world, "Cache")


def test_functions_of_a_cache_and_get_or_compute_share_its_bound():
    world, cache, busy, gate = Threads(), Cache(max_computations=1), Busy(), Gate()

    def work(key):
        with busy:
            gate.pass_as_thread()
        return key

    one, two = cache(work), cache(lambda key: work(key))
    calls = [world.start(one, 1), world.start(two, 1)]
    calls.append(world.start(cache.get_or_compute, "a", lambda: work("a")))
    gate.is_reached()
    gate.open()
    assert [call.result(PATIENCE) for call in calls] == [1, 1, "a"]
    assert busy.most == 1


def test_who_waits_too_long_for_a_permit_is_told_so_and_so_are_its_followers(world, owner):
    gate = Gate()

    @world.cached(bounded(owner, 1, wait_timeout=0.3))
    def load(key):
        yield gate
        return [key]

    first = world.start(load, 1)
    gate.is_reached()
    others = [world.start(load, 2) for _ in range(3)]
    for call in others:
        with pytest.raises(Timeout, match=r"load waited 0.3 s, its wait_timeout(.|\n)*hint: "):
            call.result(PATIENCE)
    gate.open()
    assert first.result(PATIENCE) == [1]
    assert world.call(load, 2) == [2]


def test_a_hard_timeout_counts_the_wait_for_a_permit(world):
    gate = Gate()

    @world.cached(Cache()(max_computations=1, hard_timeout=0.1))
    def load(key):
        yield gate
        return [key]

    calls = [world.start(load, key) for key in range(2)]
    for call in calls:
        with pytest.raises(Timeout, match="hard_timeout"):
            call.result(PATIENCE)
    gate.open()
    until(lambda: load.peek(0) is not None or load.peek(1) is not None)
    assert world.call(load, 7) == [7]


def test_a_late_computation_keeps_its_permit(world):
    """It is still a load on what it asks."""
    gate = Gate()

    @world.cached(Cache()(max_computations=1, hard_timeout=0.1, wait_timeout=0.1))
    def load(key):
        if key == 0:
            yield gate
        return [key]

    with pytest.raises(Timeout):
        world.call(load, 0)
    with pytest.raises(Timeout):
        world.call(load, 1)
    gate.open()
    until(lambda: load.peek(0) is not None)
    assert world.call(load, 1) == [1]


def test_permits_come_back_from_errors(world, owner):
    @world.cached(bounded(owner, 1))
    def load(key):
        raise LookupError(key)

    for key in range(5):
        with pytest.raises(LookupError):
            world.call(load, key)


def test_hits_need_no_permit(world, owner):
    gate = Gate()

    @world.cached(bounded(owner, 1))
    def load(key):
        if key == 0:
            yield gate
        return [key]

    assert world.call(load, 1) == [1]
    first = world.start(load, 0)
    gate.is_reached()
    assert world.call(load, 1) == [1]
    gate.open()
    assert first.result(PATIENCE) == [0]


def test_a_computation_within_another_runs_within_its_permit(owner):
    decorator = bounded(owner, 1)

    @decorator
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(30) == 832040

    @bounded(owner, 1)
    async def later(n):
        return n if n < 2 else sum(await asyncio.gather(later(n - 1), later(n - 2)))

    assert asyncio.run(asyncio.wait_for(later(20), PATIENCE)) == 6765


def test_who_holds_a_permit_is_not_held_up_by_who_waits_for_one(world, owner):
    """The holder asks for a key whose leader waits for the holder's permit: that would be a circle."""
    gate, cache = Gate(), Cache(max_computations=1 if owner == "Cache" else None)
    policy = {"max_computations": 1} if owner == "Policy" else {}

    if world.is_async:

        @cache(**policy)
        async def load(key):
            if key == 0:
                await gate.pass_as_task()
                return await load(1)
            return [key]

    else:

        @cache(**policy)
        def load(key):
            if key == 0:
                gate.pass_as_thread()
                return load(1)
            return [key]

    outer = world.start(load, 0)
    gate.is_reached()
    inner = world.start(load, 1)
    until(lambda: load.explain(1).status == "follower")
    gate.open()
    assert outer.result(PATIENCE) == [1]
    assert inner.result(PATIENCE) == [1]


def test_two_functions_that_call_each_other_do_not_lock_each_other_out():
    world, cache, gates = Threads(), Cache(), [Gate(), Gate()]

    @cache(max_computations=1)
    def one(key):
        if key == 0:
            gates[0].pass_as_thread()
            return two(1)
        return ["one", key]

    @cache(max_computations=1)
    def two(key):
        if key == 0:
            gates[1].pass_as_thread()
            return one(1)
        return ["two", key]

    calls = [world.start(one, 0), world.start(two, 0)]
    for gate in gates:
        gate.is_reached()
    for gate in gates:
        gate.open()
    assert [call.result(PATIENCE) for call in calls] == [["two", 1], ["one", 1]]


def test_a_cancelled_wait_for_a_permit_leaves_no_trace():
    world, cache, gate = Loops(1), Cache(max_computations=1), Gate()

    @cache
    async def load(key):
        if key == 0:
            await gate.pass_as_task()
        return [key]

    async def main():
        first = asyncio.ensure_future(load(0))
        while not gate.reached.is_set():
            await asyncio.sleep(0)
        waits = [asyncio.ensure_future(load(key)) for key in range(1, 20)]
        for _ in range(5):
            await asyncio.sleep(0)
        for task in waits[::2]:
            task.cancel()
        gate.open()
        assert await first == [0]
        done = await asyncio.wait_for(asyncio.gather(*waits, return_exceptions=True), PATIENCE)
        assert [type(value) is list for value in done] == [n % 2 == 1 for n in range(19)]
        assert await asyncio.wait_for(load(100), PATIENCE) == [100]

    world.run(main).result(2 * PATIENCE)
    world.close()


def test_a_cancelled_computation_gives_its_permit_back():
    world, cache, gate = Loops(1), Cache(max_computations=1), Gate()

    @cache
    async def load(key):
        if key == 0:
            await gate.pass_as_task()
        return [key]

    async def main():
        first = asyncio.ensure_future(load(0))
        while not gate.reached.is_set():
            await asyncio.sleep(0)
        second = asyncio.ensure_future(load(1))
        await asyncio.sleep(0)
        first.cancel()
        assert await asyncio.wait_for(second, PATIENCE) == [1]

    world.run(main).result(2 * PATIENCE)
    world.close()


def test_a_hundred_callers(world, owner):
    busy = Busy()

    @world.cached(bounded(owner, 3))
    def load(key):
        gate = Gate()
        gate.open()
        with busy:
            yield gate
        return [key]

    calls = [world.start(load, n) for n in range(100)]
    assert [call.result(PATIENCE) for call in calls] == [[n] for n in range(100)]
    assert busy.most <= 3
    assert adds_up(load, 100).computations == 100

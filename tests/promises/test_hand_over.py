"""A leader that cannot bring a value hands its work over: one of those who wait goes on, and nobody hangs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading

import pytest
from everwarm import Cache, Unsupported, _drive
from worlds import PATIENCE, Gate, Loops, Threads, adds_up, crowd, until


class Departure(BaseException):
    """An exit that is none of Python's own."""


@pytest.mark.parametrize(
    "exit", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Departure]
)
def test_a_leader_that_leaves_hands_the_work_over(world, cache, exit):
    gates, computed = [Gate(), Gate()], []

    @world.cached(cache)
    def load(key):
        turn = len(computed)
        computed.append(key)
        yield gates[turn]
        if turn == 0:
            raise exit()
        return turn

    # Some exits end the event loop that they are raised on, so the leader has one of its own.
    leader = Threads().run(lambda: asyncio.run(_awaited(load, 1)) if world.is_async else load(1))
    gates[0].is_reached()
    followers = crowd(world, load, 5, 1)
    gates[0].open()
    gates[1].open()
    assert isinstance(leader.exception(PATIENCE), exit)
    assert [follower.result(PATIENCE) for follower in followers] == [1] * 5
    assert computed == [1, 1], "exactly one further computation"
    assert adds_up(load, 6).computations == 2


@pytest.mark.parametrize("end", ["close", "stop"])
@pytest.mark.parametrize("follower", ["same kind of loop", "thread"])
def test_a_leader_whose_loop_stopped_is_taken_over(end, follower):
    doomed, world, cache, computed = Loops(1), Loops(1), Cache(), []
    gate = Gate()

    @cache
    async def load(key):
        computed.append(key)
        if len(computed) == 1:
            await gate.pass_as_task()
        return len(computed)

    first = doomed.start(load, 1)
    gate.is_reached()
    if follower == "thread":
        call = Threads().run(lambda: asyncio.run(_awaited(load, 1)))
    else:
        call = world.start(load, 1)
    until(lambda: load.stats().followers == 1)
    loop = doomed.loops[0]
    loop.call_soon_threadsafe(loop.stop)
    doomed._threads[0].join(PATIENCE)
    if end == "close":
        loop.close()
    assert call.result(PATIENCE) == 2
    assert load.stats().takeovers == 1 and computed == [1, 1]
    assert not first.done()
    world.close()
    loop.close()


async def _awaited(function, *args):
    return await function(*args)


def test_the_late_value_of_a_leader_that_was_overtaken_is_its_own():
    world, other, cache, gate, computed = Loops(1), Loops(1), Cache(), Gate(), []

    @cache
    async def load(key):
        turn = len(computed)
        computed.append(key)
        if turn == 0:
            await gate.pass_as_task()
        return turn

    loop = world.loops[0]
    late = world.start(load, 1)
    gate.is_reached()
    call = other.start(load, 1)
    until(lambda: load.stats().followers == 1)
    loop.call_soon_threadsafe(loop.stop)
    assert call.result(PATIENCE) == 1
    world._threads[0].join(PATIENCE)
    gate.open()
    resumed = threading.Thread(target=loop.run_forever, daemon=True)
    resumed.start()
    assert late.result(PATIENCE) == 0
    assert load.peek(1).value == 1, "what was stored stays"
    loop.call_soon_threadsafe(loop.stop)
    resumed.join(PATIENCE)
    loop.close()
    other.close()


def test_a_leader_whose_coroutine_is_thrown_away_hands_the_work_over():
    world, cache, computed = Loops(1), Cache(), []

    @cache
    async def load(key):
        computed.append(key)
        if len(computed) == 1:
            await _Suspended()
        return len(computed)

    leader = load(1)
    contextvars.copy_context().run(leader.send, None)
    followers = crowd(world, load, 3, 1)
    del leader
    gc.collect()
    assert [follower.result(PATIENCE) for follower in followers] == [2, 2, 2]
    assert adds_up(load, 4).computations == 2
    world.close()


def test_waiting_without_asyncio_is_unsupported_and_leaves_nothing_behind(cache):
    @cache
    async def load(key):
        await _Suspended()
        return key

    leader, follower = load(1), load(1)
    contextvars.copy_context().run(leader.send, None)
    with pytest.raises(Unsupported, match="asyncio(.|\n)*hint:"):
        contextvars.copy_context().run(follower.send, None)
    with pytest.raises(StopIteration) as end:
        leader.send(None)
    assert end.value.value == 1 == load.peek(1).value
    stats = adds_up(load, 2)
    assert (stats.followers, stats.computations, stats.entries) == (1, 1, 1)


class _Suspended:
    """Awaited by a coroutine that nobody resumes."""

    def __await__(self):
        yield


def test_a_wait_that_takes_too_long_takes_over(monkeypatch):
    monkeypatch.setattr(_drive, "_ASK", 0.02)
    world, cache, gate, computed = Loops(1), Cache(), Gate(), []

    @cache(wait_timeout=0.04)
    async def load(key):
        turn = len(computed)
        computed.append(key)
        if turn == 0:
            await gate.pass_as_task()
        return turn

    late = world.start(load, 1)
    gate.is_reached()
    followers = [world.start(load, 1) for _ in range(3)]
    assert [follower.result(PATIENCE) for follower in followers] == [1, 1, 1]
    gate.open()
    assert late.result(PATIENCE) == 0
    assert load.peek(1).value == 1
    stats = adds_up(load, 4)
    assert (stats.takeovers, stats.computations) == (1, 2)
    world.close()


def test_a_follower_whose_loop_is_gone_is_no_matter_to_its_leader():
    world, doomed, cache, gate = Loops(1), Loops(1), Cache(), Gate()

    @world.cached(cache)
    def load(key):
        yield gate
        return key

    leader = world.start(load, 1)
    gate.is_reached()
    doomed.start(load, 1)
    staying = world.start(load, 1)
    until(lambda: load.stats().followers == 2)
    loop = doomed.loops[0]
    loop.call_soon_threadsafe(loop.stop)
    doomed._threads[0].join(PATIENCE)
    loop.close()
    gate.open()
    assert leader.result(PATIENCE) == 1 == staying.result(PATIENCE)
    assert world.call(load, 1) == 1
    world.close()

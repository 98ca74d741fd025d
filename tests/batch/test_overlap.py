"""Batches that run at once: every id is computed once, whoever asks, and nobody hangs."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter

import pytest
from everwarm import Cache, _drive
from worlds import PATIENCE, Gate, Loops, Threads, until

pytestmark = pytest.mark.once

BATCHES, IDS = 64, 1_000


class Counted:
    """What is computed, and how often."""

    def __init__(self):
        self.lock = threading.Lock()
        self.times = Counter()

    def note(self, ids):
        with self.lock:
            self.times.update(ids)


def drawn(seed):
    """Random batches with duplicates, that overlap."""
    chance = random.Random(seed)
    return [chance.choices(range(IDS), k=chance.randrange(1, 120)) for _ in range(BATCHES)]


def _sync(counted):
    def tens(ids):
        counted.note(ids)
        return {each: each * 10 for each in ids}

    return tens


def _async(counted):
    async def tens(ids):
        counted.note(ids)
        for _ in range(random.Random(ids[0]).randrange(4)):
            await asyncio.sleep(0)
        return {each: each * 10 for each in ids}

    return tens


def check(batches, started, counted):
    for ids, future in zip(batches, started, strict=True):
        assert future.result(PATIENCE) == [each * 10 for each in ids]
    assert counted.times == dict.fromkeys({each for ids in batches for each in ids}, 1)


@pytest.mark.parametrize("chunk", [None, 7])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["threads", "loop", "loops", "mixed"])
def test_i4_of_64_batches_at_once_each_id_is_computed_once(kind, seed, chunk):
    counted, cache, batches = Counted(), Cache(), drawn(seed)
    hosts = set(_drive._hosts)  # what earlier tests have left unfinished
    worlds = {
        "threads": lambda: [Threads()],
        "loop": lambda: [Loops(1)],
        "loops": lambda: [Loops(3)],
        "mixed": lambda: [Threads(), Loops(2)],
    }[kind]()
    # Of one name, so that threads and tasks share their entries.
    decorate = cache.batch(name="tens", chunk=chunk)
    functions = [decorate((_async if world.is_async else _sync)(counted)) for world in worlds]
    try:
        started = [
            worlds[number % len(worlds)].start(functions[number % len(worlds)], ids)
            for number, ids in enumerate(batches)
        ]
        check(batches, started, counted)
        stats = functions[0].stats()
        assert stats.calls == stats.hits + stats.misses + stats.bypass
        assert (stats.computations, stats.cycles, stats.takeovers) == (len(counted.times), 0, 0)
    finally:
        for world in worlds:
            world.close()
    assert set(_drive._hosts) <= hosts


@pytest.fixture(params=["threads", "loop", "loops"])
def world(request):
    made = {"threads": Threads, "loop": lambda: Loops(1), "loops": lambda: Loops(3)}[request.param]()
    yield made
    made.close()


def gated(world, gates, calls):
    """A function of ids that stands at the gates of those that have one."""

    def tens(ids):
        calls.append(ids)
        for each in ids:
            if each in gates:
                yield gates[each]
        return {each: each * 10 for each in ids}

    return world.cached(lambda function: function)(tens)


def test_two_batches_that_lead_what_the_other_follows_do_not_wait_for_each_other(world):
    gates, calls = {1: Gate(), 2: Gate()}, []
    batch = Cache().batch(gated(world, gates, calls))
    first = world.start(batch, [1, 3])
    gates[1].is_reached()
    second = world.start(batch, [2, 1])
    gates[2].is_reached()
    third = world.start(batch, [3, 2, 4])
    until(lambda: len(calls) == 3)
    gates[2].open()
    until(lambda: batch.peek(2) is not None)
    gates[1].open()
    assert first.result(PATIENCE) == [10, 30]
    assert second.result(PATIENCE) == [20, 10]
    assert third.result(PATIENCE) == [30, 20, 40]
    assert calls == [[1, 3], [2], [4]]
    assert (batch.stats().followers, batch.stats().cycles) == (3, 0)


def test_a_leaders_error_is_that_of_who_waits_for_one_of_its_ids(world):
    gate, calls = Gate(), []

    def tens(ids):
        calls.append(ids)
        if 1 in ids:
            yield gate
            raise LookupError(ids)
        return ids

    batch = Cache().batch(world.cached(lambda function: function)(tens))
    leader = world.start(batch, [1, 2])
    gate.is_reached()
    follower = world.start(batch, [3, 2])
    until(lambda: batch.stats().followers == 1)
    gate.open()
    errors = []
    for started in (leader, follower):
        with pytest.raises(LookupError) as raised:
            started.result(PATIENCE)
        errors.append(raised.value)
    assert errors[0] is not errors[1]
    assert batch.peek(3).value == 3
    assert world.call(batch, [2]) == [2]
    assert calls == [[1, 2], [3], [2]]


def test_the_chunks_that_a_failure_leaves_are_handed_over_at_once(world):
    gate, calls, errors = Gate(), [], []

    def tens(ids):
        calls.append(ids)
        if 1 in ids:
            yield gate
            raise LookupError(ids)
        return ids

    batch = Cache().batch(chunk=1)(world.cached(lambda function: function)(tens))
    leader = world.start(batch, [1, 2])
    gate.is_reached()
    follower = world.start(batch, [2])
    until(lambda: batch.stats().followers == 1)
    gate.open()
    # The error and with it the frames of its batch are still there.
    errors.append(leader.exception(PATIENCE))
    assert follower.result(PATIENCE / 4) == [2]
    assert isinstance(errors[0], LookupError)
    assert calls == [[1], [2]]


def test_single_ids_and_batches_share_a_computation(world):
    gate, calls = Gate(), []
    batch = Cache().batch(gated(world, {1: gate}, calls))
    single = world.start(batch.load, 1)
    gate.is_reached()
    both = world.start(batch, [2, 1])
    until(lambda: batch.stats().followers == 1)
    gate.open()
    assert (single.result(PATIENCE), both.result(PATIENCE)) == (10, [20, 10])
    assert calls == [[1], [2]]


def test_what_is_invalidated_while_it_is_computed_is_not_stored(world):
    gate, calls = Gate(), []
    batch = Cache().batch(gated(world, {1: gate}, calls))
    started = world.start(batch, [1, 2])
    gate.is_reached()
    batch.invalidate(1)
    gate.open()
    assert started.result(PATIENCE) == [10, 20]
    assert (batch.peek(1), batch.peek(2).value) == (None, 20)


def test_s7_a_cancelled_leader_hands_its_ids_over():
    world = Loops(1)
    try:
        gate, calls = Gate(), []

        def tens(ids):
            calls.append(ids)
            if len(calls) == 1:
                yield gate
            return ids

        batch = Cache().batch(world.cached(lambda function: function)(tens))
        leader = world.start(batch, [1, 2])
        gate.is_reached()
        follower = world.start(batch, [2, 3])
        until(lambda: batch.stats().followers == 1)
        leader.cancel()
        assert follower.result(PATIENCE) == [2, 3]
        assert calls == [[1, 2], [3], [2]]
        assert batch.peek(1) is None
    finally:
        world.close()


ROUNDS, CALLERS, FEW = 300, 12, 8


@pytest.mark.parametrize("seed", range(3))
def test_s7_random_cancellation_leaves_nobody_hanging(seed):
    chance = random.Random(seed)
    hosts = set(_drive._hosts)  # what earlier tests have left unfinished

    async def tens(ids):
        for _ in range(chance.randrange(1, 5)):
            await asyncio.sleep(0)
        if chance.random() < 0.1:
            raise LookupError(ids)
        return {each: each * 10 for each in ids}

    async def main():
        batch, cancelled, asked = Cache().batch(chunk=3)(tens), 0, 0

        async def caller(ids):
            nonlocal asked
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            asked += len(set(ids))
            return await (batch(ids) if chance.random() < 0.8 else batch.load(ids[0]))

        for _ in range(ROUNDS):
            all_ids = [chance.choices(range(FEW), k=chance.randrange(1, 6)) for _ in range(CALLERS)]
            tasks = [asyncio.create_task(caller(ids)) for ids in all_ids]
            for _ in range(chance.randrange(12)):
                for _ in range(chance.randrange(3)):
                    await asyncio.sleep(0)
                cancelled += chance.choice(tasks).cancel()
            outcomes = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
            for ids, task, outcome in zip(all_ids, tasks, outcomes, strict=True):
                expected = [each * 10 for each in ids]
                is_right = outcome in (expected, expected[0])
                assert is_right or isinstance(outcome, LookupError) or task.cancelled()
            batch.clear()
        # A flight that nobody leads would be followed.
        before = batch.stats().followers
        while True:
            try:
                assert await batch(list(range(FEW))) == [each * 10 for each in range(FEW)]
                break
            except LookupError:
                continue
        assert batch.stats().followers == before
        stats = batch.stats()
        assert stats.calls == stats.hits + stats.misses + stats.bypass
        return cancelled

    assert asyncio.run(main()) > ROUNDS
    assert set(_drive._hosts) <= hosts

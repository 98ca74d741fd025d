"""S7: whoever is cancelled, wherever, nobody else hangs, no call is counted twice, no flight is left."""

from __future__ import annotations

import asyncio
import random
from itertools import count

import pytest
from everwarm import Cache, _drive
from worlds import PATIENCE, Loops, adds_up

pytestmark = pytest.mark.chance

ROUNDS, CALLERS, KEYS = 1_000, 12, 2


class Workload:
    """Callers of a few keys whose computations await a random number of times, in a reproducible order."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.calls = 0
        self.cancelled = 0
        self.load = Cache()(self._load)

    async def _load(self, key):
        for _ in range(self.random.randrange(1, 5)):
            await asyncio.sleep(0)
        if self.random.random() < 0.1:
            raise LookupError(key)
        return key

    async def caller(self, key):
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        self.calls += 1
        return await self.load(key)

    async def round(self):
        tasks = [
            (key, asyncio.create_task(self.caller(key)))
            for key in self.random.choices(range(KEYS), k=CALLERS)
        ]
        for _ in range(self.random.randrange(12)):
            for _ in range(self.random.randrange(3)):
                await asyncio.sleep(0)
            self.cancelled += self.random.choice(tasks)[1].cancel()
        outcomes = await asyncio.wait_for(
            asyncio.gather(*(task for _, task in tasks), return_exceptions=True), PATIENCE
        )
        for (key, task), outcome in zip(tasks, outcomes, strict=True):
            assert outcome == key or isinstance(outcome, LookupError) or task.cancelled()
        self.load.clear()


async def no_flight_is_left(load):
    """A flight that nobody leads would be followed."""
    before = load.stats()
    for key in range(KEYS):
        load.invalidate(key)
        while True:
            try:
                result = await asyncio.wait_for(load.call(key), PATIENCE)
            except LookupError:
                continue
            break
        assert result.status == "miss"
    assert load.stats().followers == before.followers
    assert not _drive._hosts


def test_s7_ten_thousand_random_cancellations_in_one_loop():
    async def main(seed):
        work = Workload(seed)
        for _ in range(ROUNDS // 10):
            await work.round()
        adds_up(work.load, work.calls)
        await no_flight_is_left(work.load)
        return work.cancelled

    cancelled = 0
    for seed in count(1):
        print(f"seed {seed}")
        cancelled += asyncio.run(main(seed))
        if cancelled >= 10_000:
            break


def test_s7_random_cancellations_over_three_loops():
    world, seed = Loops(3), random.randrange(2**32)
    print(f"seed {seed}")
    works = [Workload(seed + place) for place in range(3)]
    for work in works[1:]:
        work.load = works[0].load

    async def rounds(work):
        for _ in range(40):
            await work.round()

    try:
        for future in [world.run(lambda work=work: rounds(work)) for work in works]:
            future.result(60)
        assert sum(work.cancelled for work in works) > 200
        adds_up(works[0].load, sum(work.calls for work in works))
        world.run(lambda: no_flight_is_left(works[0].load)).result(PATIENCE)
    finally:
        world.close()


STEPS = 6


@pytest.mark.parametrize("followers", [0, 1, 5])
@pytest.mark.parametrize("step", range(STEPS + 2))
def test_a_leader_cancelled_at_any_await_hands_the_work_over(step, followers):
    computed = []

    @Cache()
    async def load(key):
        computed.append(key)
        for _ in range(STEPS):
            await asyncio.sleep(0)
        return key

    async def main():
        leader = asyncio.create_task(_awaited(load))
        behind = [asyncio.create_task(_awaited(load)) for _ in range(followers)]
        for _ in range(step):
            await asyncio.sleep(0)
        was_cancelled = leader.cancel()
        done = await asyncio.wait_for(asyncio.gather(leader, *behind, return_exceptions=True), PATIENCE)
        assert done[1:] == [1] * followers
        assert leader.cancelled() == was_cancelled
        # Cancelled before its first step a task has called nothing.
        begun = step > 0
        assert len(computed) == begun + (was_cancelled and followers > 0)
        adds_up(load, begun + followers)
        assert not _drive._hosts

    asyncio.run(main())


def test_every_leader_in_turn_is_cancelled_and_the_last_caller_has_the_value():
    computed = []

    @Cache()
    async def load(key):
        computed.append(asyncio.current_task())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return key

    async def main():
        tasks = [asyncio.create_task(_awaited(load)) for _ in range(8)]
        await asyncio.sleep(0)
        while len(computed) < len(tasks):
            leaders = len(computed)
            computed[-1].cancel()
            while len(computed) == leaders:
                await asyncio.sleep(0)
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), PATIENCE)
        assert done.count(1) == 1 and sum(task.cancelled() for task in tasks) == 7
        stats = adds_up(load, 8)
        assert stats.computations == 8

    asyncio.run(main())


def test_followers_are_never_more_than_misses():
    """I19: a call that waits behind one leader after another is one follower."""
    gates = [asyncio.Event() for _ in range(3)]
    leaders = []

    @Cache()
    async def load(key):
        leaders.append(asyncio.current_task())
        await gates[len(leaders) - 1].wait()
        return key

    async def main():
        tasks = [asyncio.create_task(_awaited(load)) for _ in range(4)]
        for turn in range(2):
            while len(leaders) <= turn:
                await asyncio.sleep(0)
            leaders[turn].cancel()
        while len(leaders) < 3:
            await asyncio.sleep(0)
        gates[2].set()
        await asyncio.gather(*tasks, return_exceptions=True)
        stats = adds_up(load, 4)
        assert stats.computations == 3
        assert stats.followers <= stats.misses

    asyncio.run(main())


async def _awaited(load):
    return await load(1)

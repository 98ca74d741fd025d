"""N5: requests that are cancelled and replies that change places; nobody is given what is another's."""

from __future__ import annotations

import asyncio
import random

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from load import nothing_is_left, proof, proven

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

SEED = 1
REQUESTS = 100_000
KEYS, AT_ONCE, MANY = 500, 20, 25


class Asking:
    """Tasks that ask for objects whose values say what they are of, and give some questions up."""

    def __init__(self, cache, draw):
        self.cache, self.draw, self.asked, self.given_up, self.found = cache, draw, 0, 0, 0

    async def once(self):
        """One question, for one object or for many."""
        keys = self.draw.sample(range(KEYS), self.draw.choice([1, MANY]))
        self.asked += len(keys)
        if len(keys) == 1:
            found = {keys[0]: await self.cache.aget(keys[0])}
        else:
            found = await self.cache.aget_many(keys)
        for key, value in found.items():
            if value is not None:
                self.found += 1
                proven(value, "object", key)

    async def task(self):
        while self.asked < REQUESTS:
            if self.draw.random() < 0.3:
                asking = asyncio.ensure_future(self.once())
                await asyncio.sleep(self.draw.choice([0, 0, self.draw.random() / 500]))
                self.given_up += asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                if not asking.cancelled():
                    asking.result()
            else:
                await self.once()

    async def all(self, proxy):
        tasks = [asyncio.ensure_future(self.task()) for _ in range(AT_ONCE)]
        while not all(task.done() for task in tasks):
            # Many at once, and peace in between: a connection whose replies make no sense is lost by it.
            proxy.swap(chance=0.05)
            await asyncio.sleep(0.05)
            proxy.calm()
            await asyncio.sleep(0.05)
        await asyncio.gather(*tasks)
        assert len(asyncio.all_tasks()) == 1, "a task is left"


def test_no_reply_crosses_over(server, ran):
    with nothing_is_left(server.url), FaultProxy(server.url, seed=SEED) as proxy:
        with Cache([f"{proxy.url}?timeout=5s"], namespace="shop") as cache:
            # A swap while a connection is made must not look like a failover, after which all of this would
            # be owed again.
            for key in range(KEYS):
                cache.set(key, proof("object", key, 0, "x" * (key % 9 * 300)), ttl="10m")
            asking = Asking(cache, random.Random(SEED))
            asyncio.run(asking.all(proxy))
            swapped = proxy.count("swap")
            tier = cache.tiers()[-1]
            ran("N5", f"{asking.asked} requests, {asking.given_up} given up, {swapped} swaps", seed=SEED)
            print(tier)
            assert asking.found > REQUESTS / 5 and asking.given_up > 100 and swapped > 3
            assert sum(tier.errors.values()) + sum(tier.refused.values()) > 0

"""A function that is cached on a server in trouble, what its callers meet, and what the cache tells of it."""

from __future__ import annotations

import itertools
import time

from everwarm import Cache
from worlds import adds_up

# For a loaded machine. An operation has 50 ms, and a call asks three; what hangs takes a quarter of an hour.
PATIENCE = 20.0
SLOWEST = 2.0

# How soon all is well after a fault's end, and what a loaded machine is given on top.
RECOVERY, SLACK = 5.0, 10.0

NOWHERE = "redis://127.0.0.1:1/0"


class Shop:
    """One function on a cache, called by one world: each answer is checked, each call timed and counted."""

    _numbers = itertools.count(1)

    def __init__(self, world, stores, *, name="double", body=None, policy=None, **cache):
        self.world, self.calls, self.slowest = world, 0, 0.0
        self.cache = Cache(stores, namespace="shop", **cache)

        def double(x):
            return 2 * x

        self.double = world.cached(self.cache(name=name, **(policy or {})))(body or double)

    def call(self, x):
        """The result of one call, which is right."""
        begun = time.monotonic()
        result = self.world.call(self.double.call, x)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        self.calls += 1
        assert result.value == 2 * x
        return result

    def fresh(self, count):
        """That many calls of keys that nobody asked for; how long they took together."""
        begun = time.monotonic()
        for _ in range(count):
            self.call(next(self._numbers))
        return time.monotonic() - begun

    def recovers(self):
        """Waits until values come from the server again."""
        end = time.monotonic() + RECOVERY + SLACK
        while True:
            x = next(self._numbers)
            if [self.call(x).status for _ in range(2)][1] == "hit":
                return
            assert time.monotonic() < end, "it does not recover"
            time.sleep(0.02)

    @property
    def tier(self):
        return self.cache.tiers()[-1]

    @property
    def errors(self):
        return self.tier.errors

    def end(self):
        """Closes it, once its counters have told the truth."""
        adds_up(self.double, self.calls)
        self.cache.close()

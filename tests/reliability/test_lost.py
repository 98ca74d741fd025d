"""I8: what a failover lost is never served by the process that invalidated, deleted or set it."""

from __future__ import annotations

import itertools

import pytest
from everwarm import Cache
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]

REPLICAS = 2


class Master:
    """The master that sentinels watch."""

    def __init__(self, sentinel):
        self._sentinel, self.port = sentinel, named(sentinel)

    def _told(self):
        """What it says of itself and of its replicas."""
        lines = self._sentinel.say(self.port, "info", "replication").splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def is_copied(self):
        """Waits until its replicas have all that it has now."""
        there = int(self._told()["master_repl_offset"])

        def have_it():
            replicas = [text for text in self._told().values() if "state=online" in text]
            offsets = [dict(part.split("=") for part in text.split(","))["offset"] for text in replicas]
            return sum(int(offset) >= there for offset in offsets) == REPLICAS

        until(have_it)

    def dies_alone(self, undo):
        """Does what no replica hears of, and dies."""
        self._sentinel.say(self.port, "acl", "setuser", "default", "-psync", "-sync")
        self._sentinel.say(self.port, "client", "kill", "type", "replica")
        undo()
        self._sentinel.kill(self.port)

    def is_replaced(self):
        return named(self._sentinel) != self.port

    def comes_again(self):
        self._sentinel.again(self.port)


def named(sentinel):
    """The port of the master that a sentinel names."""
    told = sentinel.say(sentinel.ports[0], "sentinel", "get-master-addr-by-name", "everwarm")
    return int(told.split()[1])


def test_what_a_failover_lost_is_not_served_by_whom_it_was_issued(sentinel):
    cache = Cache([f"{sentinel.url}?breaker=off&timeout=5s"], namespace="lost")
    numbers = itertools.count()

    def cached(name, **policy):
        return cache(name=name, ttl="1m", **policy)(lambda key: next(numbers))

    functions = [cached("key"), cached("tag", tags=["t"]), cached("function")]
    for function in functions:
        function(1)
    for name in ("deleted", "set"):
        cache.set(name, "old")
    master = Master(sentinel)
    master.is_copied()

    def undo():
        functions[0].invalidate(1)
        cache.invalidate_tags("t")
        functions[2].clear()
        cache.delete("deleted")
        cache.set("set", "new")

    floor = next(numbers)
    master.dies_alone(undo)
    is_settled = False
    while not is_settled:
        results = [function.call(1) for function in functions]
        assert all(result.value > floor for result in results), "an older value is served"
        assert cache.get("deleted") is None
        assert cache.get("set") in ("new", None)
        is_settled = master.is_replaced() and all(result.status == "hit" for result in results)
    master.comes_again()
    cache.close()

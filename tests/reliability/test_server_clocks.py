"""What servers say of the time is not to be trusted for ever: a clock is set back, or another takes over.

An entry of which more is left than it was given is older than it looks, by nobody knows how much.
"""

from __future__ import annotations

import pytest
from everwarm import Cache
from servers import Group, OwnServer
from wall_clock import movable, set_off
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

HOUR, TTL = 3600, 60


class Counting:
    """A cached function whose values are the numbers of their computations."""

    def __init__(self, url):
        self.cache, self.computed = Cache([f"{url}?timeout=5s"], namespace="shop"), 0

        @self.cache(name="count", ttl=TTL, depends_on="nothing")
        def count(key):
            self.computed += 1
            return self.computed

        self.count = count

    def is_kept(self, key):
        """Whether the store has a value of the key, with no more left than it may have."""
        found = self.count.call(key)
        if found.status != "hit":
            return False
        assert 0 <= found.age <= TTL and 0 < found.ttl <= TTL, found
        return True


def seconds(server):
    return int(server.say("time").split()[0])


def test_a_clock_that_was_set_back_makes_nothing_younger(tmp_path):
    server = OwnServer(tmp_path, environment=movable(tmp_path)).start()
    try:
        counting = Counting(server.url)
        old = counting.count("a")
        assert counting.is_kept("a")
        before = seconds(server)
        set_off(tmp_path, -HOUR)
        assert seconds(server) < before - HOUR / 2, "the clock was not set"
        # What a connection knows of the server's clock counts for a second.
        until(lambda: counting.count("a") != old)
        until(lambda: counting.is_kept("a") and counting.is_kept("b"))
        counting.cache.close()
    finally:
        server.kill()


def test_a_server_with_another_clock_takes_over(tmp_path):
    group = Group("sentinel", environment=movable(tmp_path))
    try:

        def master():
            told = group.say(group.ports[0], "sentinel", "get-master-addr-by-name", "everwarm")
            return int(told.split()[1])

        first = master()
        for port in group.places:
            if port not in (first, *group.ports):
                set_off(group.places[port], -HOUR)
        counting = Counting(group.url)
        old = counting.count("a")
        assert counting.is_kept("a")
        assert group.say(first, "wait", 2, 10_000) == "2"
        group.kill(first)
        until(lambda: master() != first)
        until(lambda: counting.is_kept("b"))
        assert counting.count("a") != old
        until(lambda: counting.is_kept("a"))
        counting.cache.close()
    finally:
        group.end()

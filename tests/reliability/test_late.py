"""What a process sets and deletes while it is cut off is made good, unless others wrote later."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]

# Far more than ages are told apart by.
APART = 0.5


@pytest.mark.parametrize("memory", [False, True], ids=["bare", "memory"])
def test_what_others_wrote_meanwhile_lives_and_what_nobody_overtook_is_there(server, memory):
    with FaultProxy(server.url) as proxy:
        tiers = ["memory://"] if memory else []
        one = Cache([*tiers, f"{proxy.url}?breaker=off"], namespace="shop")
        other = Cache([server.url], namespace="shop")
        for key in ("mine", "gone", "set", "deleted"):
            other.set(key, "old")
        other.incr("count", by=5)
        before = {**dict.fromkeys(("mine", "gone", "set", "deleted"), "old"), "count": 5}
        until(lambda: one.get_many(list(before)) == before)
        time.sleep(APART)
        proxy.refuse()
        proxy.disconnect()
        one.set("mine", "new")
        one.set("set", "new")
        for key in ("gone", "deleted", "count"):
            one.delete(key)
        assert one.get("gone") is one.get("deleted") is None
        time.sleep(APART)
        for key in ("set", "deleted"):
            other.set(key, "theirs")
        assert other.incr("count") == 6
        proxy.calm()
        until(lambda: other.get("mine") == "new" and other.get("gone") is None)
        wanted = {"mine": "new", "set": "theirs", "deleted": "theirs", "count": 6}
        assert other.get_many([*wanted, "gone"]) == wanted
        until(lambda: one.get_many([*wanted, "gone"]) == wanted)
        assert other.get_many([*wanted, "gone"]) == wanted
        one.close()
        other.close()


def test_where_nothing_was_a_value_comes_if_nobody_wrote_meanwhile(server):
    with FaultProxy(server.url) as proxy:
        one = Cache([f"{proxy.url}?breaker=off"], namespace="shop")
        other = Cache([server.url], namespace="shop")
        busy = {
            "a set": lambda: other.set("another", "theirs"),
            "a deletion": lambda: other.delete("another"),
            "a count": lambda: other.incr("counter"),
            "an invalidation": lambda: other.invalidate_tags("t"),
        }
        for what, act in {"nothing": lambda: None, **busy}.items():
            keys = [f"{what} {number}" for number in range(3)]
            one.set("known", what)
            until(lambda what=what: one.get("known") == what)
            proxy.refuse()
            proxy.disconnect()
            for key in keys:
                one.set(key, "mine")
            act()
            proxy.calm()
            until(one.ping)
            one.flush()
            found = dict.fromkeys(keys, "mine") if what == "nothing" else {}
            assert other.get_many(keys) == one.get_many(keys) == found, what
        one.close()
        other.close()

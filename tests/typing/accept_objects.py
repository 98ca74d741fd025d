"""The cache as a table of objects, its errors, and the clock of tests."""

from datetime import timedelta
from typing import Any

import everwarm
from everwarm import Cache, Policy, Stats, cache
from everwarm.testing import ManualClock, clock
from typing_extensions import assert_type

manual = ManualClock()
later = ManualClock(start=5)
manual.advance(5)
manual.advance("1m")
manual.advance(timedelta(seconds=0.5))
assert_type(manual.now, float)

Cache()
Cache("memory://")
Cache("memory://", namespace="shop")
shop = Cache(None, namespace="shop", max_entries=5, policy=Policy(ttl=1), clock=manual)

assert_type(shop.get("k"), Any | None)
assert_type(shop.get("k", 0), Any | int)
assert_type(shop.get(("a", 1, b"c"), default="none"), Any | str)
shop.set("k", [1])
shop.set(1, "v", ttl=30, tags=["a"])
shop.set((1, "a"), None, ttl="1m")
shop.set(b"k", None, ttl=None, tags=("a",))
assert_type(shop.delete("k"), bool)
assert_type("k" in shop, bool)
shop.invalidate_tags("a")
shop.invalidate_tags("a", "b")
shop.invalidate_tags(tag for tag in ("a", "b"))
shop.clear()
assert_type(shop.stats(), Stats)
assert_type(shop.stats().takeovers, int)
assert_type(shop.namespace, str)
assert_type(shop.policy, Policy)
assert_type(shop.sweep(), int)
assert_type(cache, Cache)

with clock(manual) as current:
    assert_type(current, ManualClock)

try:
    shop.get(object())
except everwarm.KeyRefused as error:
    refused: TypeError = error
except (everwarm.ConfigError, everwarm.UnknownOption, everwarm.Unsupported, everwarm.Closed):
    pass
except (everwarm.Recursion, everwarm.Timeout, everwarm.NotCached):
    pass
except everwarm.StoreError as error:
    base: everwarm.Error = error
    assert error.kind == "timeout"

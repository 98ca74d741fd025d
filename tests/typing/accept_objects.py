"""The cache as a table of objects, its errors, and the clock of tests."""

from datetime import datetime, timedelta, timezone
from typing import Any

import everwarm
from everwarm import Advice, Cache, Copied, Health, Policy, Result, Stats, TierHealth, cache
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
Cache(eviction="lru")
shop = Cache(None, namespace="shop", max_entries=5, policy=Policy(ttl=1), clock=manual)

assert_type(shop.get("k"), Any | None)
assert_type(shop.get("k", 0), Any | int)
assert_type(shop.get(("a", 1, b"c"), default="none"), Any | str)
shop.set("k", [1])
shop.set(1, "v", ttl=30, tags=["a"])
shop.set((1, "a"), None, ttl="1m")
shop.set(b"k", None, ttl=None, tags=("a",))
assert_type(shop.delete("k"), bool)
assert_type(shop.add("k", 1, ttl=5, tags=["a"]), bool)
assert_type(shop.replace("k", 1, ttl=None), bool)
assert_type(shop.exists(b"k"), bool)
assert_type(shop.get_many(["k", "l"]), dict[str, Any])
assert_type(shop.get_many({("a", 1)}), dict[tuple[str, int], Any])
shop.set_many({"a": 1, "b": 2}, ttl=5, tags=["a"])
assert_type(shop.delete_many(key for key in ("a", 1)), int)
assert_type(shop.get_or_compute("k", lambda: 5, ttl=5, tags=("a",)), int)
assert_type(shop.get_with_meta("k"), Result[Any] | None)
assert_type(shop.ttl("k"), float | None)
assert_type(shop.expire("k", "1m"), bool)
assert_type(shop.expire_at("k", datetime.now(timezone.utc)), bool)
assert_type(shop.expire_at("k", 5), bool)
assert_type(shop.persist("k"), bool)
assert_type(shop.touch("k"), bool)
assert_type(shop.add_tags("k", "a", "b"), bool)
assert_type(shop.add_tags("k", ["a"]), bool)
assert_type(shop.mark_stale("k"), bool)
assert_type(shop.incr("k"), int)
assert_type(shop.decr("k", 5, initial=9, ttl_on_create=timedelta(hours=1)), int)
if (meta := shop.get_with_meta("k")) is not None:
    assert_type(shop.compare_and_set("k", meta.version, 5), bool)
for key in shop.scan("user:"):
    assert_type(key, str)
shop.flush()
assert_type(shop.ping(), bool)
assert_type(shop.health(), Health)
assert_type(shop.health("full").tiers, tuple[TierHealth, ...])
assert_type(shop.health().tiers[0].warnings, tuple[Advice, ...])
assert_type(shop.health().to_dict(), dict[str, Any])
assert_type(shop.copy_to(Cache(), after="copy", progress=print, rate=5), Copied)
assert_type(shop.copy_to(Cache()).place, str | None)
with Cache() as closing:
    assert_type(closing, Cache)
closing.close()


async def number() -> int:
    return 5


async def awaited() -> None:
    assert_type(await shop.ahealth("ping"), Health)
    assert_type((await shop.acopy_to(Cache())).copied, int)
    assert_type(await shop.aget("k"), Any | None)
    assert_type(await shop.aget("k", 0), Any | int)
    await shop.aset("k", 1, ttl=5, tags=["a"])
    assert_type(await shop.aadd("k", 1), bool)
    assert_type(await shop.aget_many(["k"]), dict[str, Any])
    assert_type(await shop.aget_or_compute("k", number, ttl=5), int)
    assert_type(await shop.aget_with_meta("k"), Result[Any] | None)
    assert_type(await shop.aincr("k", by=2), int)
    assert_type(await shop.attl("k"), float | None)
    await shop.ainvalidate_tags("a", "b")
    await shop.ainvalidate_tags(["a"])
    async for key in shop.ascan("user:"):
        assert_type(key, str)
    async with Cache() as closing:
        assert_type(closing, Cache)
    await closing.aclose()


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

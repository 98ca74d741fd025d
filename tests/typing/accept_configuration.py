from collections.abc import Callable, Coroutine
from typing import Any

import everwarm
from everwarm import Cache, Policy, cache, configure
from everwarm.testing import ManualClock, clock, computed_times
from typing_extensions import assert_type

configure("memory://?max_entries=100")
configure(stores=["memory://"], namespace="shop", max_entries=3, ttl="5m", disabled=False)
configure(ttl=None)

shop: Cache = Cache.from_env()
shop = Cache.from_env("SHOP_CACHE_")
shop = Cache.from_dict({"ttl": 3, "policy": {"jitter": 0.1}})
print(shop.describe(), shop.describe()["ttl"].value, shop.describe()["ttl"].source)


@cache.production
def plain(x: int) -> str:
    return str(x)


@shop.dev(ttl="1h", tags=["a"])
async def later(x: int) -> str:
    return str(x)


@everwarm.disabled()
def past(x: int) -> str:
    return plain(x)


@everwarm.disabled()
async def past_later(x: int) -> str:
    return await later(x)


assert_type(plain(1), str)
assert_type(plain.stats().hits, int)
assert_type(cache.minimal.policy, Policy)
assert_type(past(1), str)
past_callable: Callable[[int], str] = past
later_callable: Callable[[int], Coroutine[Any, Any, str]] = past_later

with everwarm.disabled():
    plain(1)

with computed_times(plain) as times:
    plain(1)
assert times == 1
assert_type(times.count, int)

with clock(ManualClock()) as hand:
    hand.advance("1m")

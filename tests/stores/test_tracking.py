"""With `hear=tracking` memory lets go of what any program changes, by the server's own word."""

from __future__ import annotations

import re
import time
from contextlib import closing
from uuid import uuid4

import pytest
from eavesdropper import Wire
from everwarm import Cache, ConfigError
from servers import needed
from worlds import until

# They hear everything that a server says, and so what other interpreters do there at the same time.
pytestmark = [pytest.mark.once, pytest.mark.timeout(60)]


@pytest.fixture
def url():
    return f"{needed('EVERWARM_TEST_REDIS')}?timeout=5s"


@pytest.mark.parametrize("hear", ["tracking", "messages"])
def test_memory_lets_go_of_what_another_program_deletes(url, hear):
    space = uuid4().hex
    with Cache(f"{url}&hear={hear}", namespace=space) as shop, closing(Wire(url)) as wire:

        @shop(name="price", ttl="1m")
        def price(sku: str) -> int:
            return 9

        def is_near():
            return price.call("tea").tier == "memory"

        price("tea")
        until(lambda: shop.tiers()[-1].hears == hear)
        wire.send("KEYS", f"ew{{{space}.*}}e:*")
        keys = re.findall(rb"ew\{[^\r]*", wire.until(b"price"))
        assert len(keys) == 1
        # The server tells of the value that was computed here, too: it is read once more.
        time.sleep(0.4)
        until(is_near)
        time.sleep(0.4)
        assert is_near()
        wire.send("DEL", keys[0])
        if hear == "tracking":
            until(lambda: price("tea") and price.stats().computations == 2)
        else:
            time.sleep(0.4)
            assert is_near() and price.stats().computations == 1


def test_both_ways_tell_of_invalidations(url):
    space = uuid4().hex
    with Cache(f"{url}&hear=tracking", namespace=space) as one, Cache(url, namespace=space) as other:
        current = [0]
        decorate = [cache(name="price", ttl="1m", tags=["prices"]) for cache in (one, other)]
        prices = [decorated(lambda sku: current[0]) for decorated in decorate]
        assert [price("tea") for price in prices] == [0, 0]
        until(lambda: one.tiers()[-1].hears == "tracking")
        current[0] = 1
        other.invalidate_tags("prices")
        assert prices[1]("tea") == 1
        until(lambda: prices[0]("tea") == 1)


def test_a_cluster_is_refused_with_a_hint():
    with pytest.raises(ConfigError, match=r"hint: .*messages"):
        Cache("redis+cluster://localhost?hear=tracking")

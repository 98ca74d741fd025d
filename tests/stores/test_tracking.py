"""With `hear=tracking` memory lets go of what any program changes, by the server's own word."""

from __future__ import annotations

import re
import time
from contextlib import closing
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from eavesdropper import Wire
from everwarm import Cache
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


def test_a_cluster_tells_what_is_deleted_at_each_of_its_servers():
    url, space = needed("EVERWARM_TEST_REDIS_CLUSTER"), uuid4().hex
    servers = [f"redis://{place}" for place in urlsplit(url).netloc.split(",")]
    with Cache(f"{url}?timeout=5s&hear=tracking", namespace=space) as shop:

        @shop(name="price", ttl="1m")
        def price(sku: str) -> int:
            return 9

        skus = [f"tea-{number}" for number in range(60)]
        for sku in skus:
            price(sku)
        until(lambda: shop.tiers()[-1].hears == "tracking")
        # The servers tell of the values that were computed here, too: each is read once more.
        time.sleep(0.4)
        until(lambda: all(price.call(sku).tier == "memory" for sku in skus))
        gone = set()
        for server in servers:
            with closing(Wire(server)) as wire:
                wire.send("KEYS", f"ew{{{space}.*}}e:*price*")
                wire.send("ECHO", "all")
                keys = re.findall(rb"ew\{[^\r]*", wire.until(b"\nall\r\n"))
                for key in keys:
                    # Who has only a copy refuses.
                    wire.send("DEL", key)
                wire.send("ECHO", "done")
                wire.until(b"\ndone\r\n")
                gone.update(keys)
        assert len(gone) == len(skus)
        until(lambda: [price(sku) for sku in skus] and price.stats().computations == 2 * len(skus))

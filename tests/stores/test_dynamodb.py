"""DynamoDB behind caches: batches, forks, what it says of itself, secrets, and its table.

DynamoDB is played by dynalite.
"""

from __future__ import annotations

import os

import pytest
from everwarm import Cache, ConfigError, StoreError, Tier, ddl
from everwarm.testing import open_store
from far import FAR, table_at
from servers import needed
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture
def url():
    return FAR["dynamodb"].emptied()


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_a_batch_may_have_more_than_one_request_takes(shop):
    shop.set_many({f"k{n}": n for n in range(60)})
    assert len(shop.get_many([f"k{n}" for n in range(60)])) == 60
    assert shop.delete_many(["k1", "k2", "none"]) == 2


def test_an_invalidation_is_seen_by_another_process(url, shop):
    @shop(name="price", tags=["prices"], ttl="1h")
    def price(sku: str) -> int:
        return 9

    there = Cache([url], namespace="shop")
    price("lamp")
    found = there(name="price", tags=["prices"], ttl="1h")(price.uncached).call("lamp")
    assert (found.value, found.status) == (9, "hit")
    there.invalidate_tags("prices")
    until(lambda: price.call("lamp").status == "miss")
    there.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_children_ask_for_themselves(url):
    script = """
    import asyncio, os, signal, sys, warnings
    from everwarm import Cache

    warnings.simplefilter("ignore", DeprecationWarning)
    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="double")
    async def double(x: int) -> int:
        return 2 * x

    assert asyncio.run(double(1)) == 2
    for _ in range(4):
        child = os.fork()
        if child == 0:
            signal.alarm(30)
            code = 1
            try:
                assert asyncio.run(double(7)) == 14 and shop.ping()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
    assert asyncio.run(double(8)) == 16 and shop.ping()
    print("done")
    """
    assert run(script, url) == [["done"]]


def test_health_says_what_the_table_is(shop):
    tier = shop.health().tiers[-1]
    assert (tier.name, tier.state) == ("dynamodb", "ok")
    assert (tier.facts["status"], tier.facts["billing"]) == ("ACTIVE", "PAY_PER_REQUEST")


def test_the_full_report_says_whether_what_has_expired_is_deleted():
    cache = Cache([table_at(needed("EVERWARM_TEST_MOTO"), "health")], namespace="shop")
    assert cache.ping()
    tier = cache.health("full").tiers[-1]
    assert (tier.state, tier.facts["ttl"]) == ("ok", "ENABLED")
    cache.close()


def test_keys_are_shown_nowhere(url):
    tier = Tier(url, ttl="1h")
    cache = Cache(tier, namespace="shop")
    assert cache.ping()
    shown = [repr(tier), repr(cache), repr(cache.health()), repr(cache.tiers()), repr(open_store(url))]
    assert all("geheim" not in text for text in shown), shown
    cache.close()


def test_the_commands_are_for_who_may_make_tables(url):
    made = ddl(url)
    assert f"aws dynamodb create-table --table-name python_{os.getpid()} " in made
    assert "AttributeName=expires_at" in made and "geheim" not in made
    nobody = table_at(needed("EVERWARM_TEST_DYNALITE"), "nobody")
    store = open_store(nobody.replace("make_table=true", "make_table=0"))
    with pytest.raises(StoreError, match="hint: make it: aws dynamodb create-table"):
        store.get("a")
    with pytest.raises(ConfigError, match="hint"):
        ddl("dynamodb://ab")

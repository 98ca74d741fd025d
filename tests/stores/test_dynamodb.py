"""Caches in a table of DynamoDB: processes and both worlds share them, and functions answer whatever it does.

DynamoDB is played by dynalite.
"""

from __future__ import annotations

import asyncio
import os

import pytest
from everwarm import Cache, ConfigError, StoreError, Tier, ddl
from everwarm.testing import FaultProxy, open_store
from servers import needed
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


def at(endpoint, table):
    """The URL of a table of these tests' own, with the patience that a loaded machine needs."""
    return (
        f"dynamodb://key:geheim@{table}_{os.getpid()}?endpoint={endpoint}"
        "&make_table=true&timeout=5s&connect_timeout=5s"
    )


@pytest.fixture
def url():
    url = at(needed("EVERWARM_TEST_DYNALITE"), "python")
    store = open_store(url)
    store.clear("")
    store.close()
    return url


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


@pytest.mark.parametrize(("keyword", "call"), [("def", "slow(21)"), ("async def", "asyncio.run(slow(21))")])
def test_four_processes_compute_once(url, tmp_path, keyword, call):
    script = f"""
    import asyncio, sys, time
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    @shop(name="slow")
    {keyword} slow(x: int) -> int:
        with open(sys.argv[2], "a") as file:
            file.write("computed\\n")
        time.sleep(0.5)
        return 2 * x

    shop.ping()
    print({call})
    """
    computed = tmp_path / "computed"
    assert run(script, url, computed, count=4) == [["42"]] * 4
    assert computed.read_text().split() == ["computed"]


def test_the_verbs_of_objects_in_both_worlds(shop):
    async def main():
        assert await shop.aget("a") is None
        await shop.aset("a", 1, ttl="1m")
        assert (await shop.aget("a"), shop.get("a")) == (1, 1)
        assert await shop.aget_many(["a", "b"]) == {"a": 1}
        assert await shop.aincr("n", 5) == 5
        assert shop.incr("n") == 6
        assert await shop.aadd("a", 2) is False
        assert await shop.adelete("a") is True
        assert await shop.aget("a", 0) == 0

    asyncio.run(main())
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


def test_a_function_answers_while_the_service_is_away(url):
    endpoint = needed("EVERWARM_TEST_DYNALITE")
    with FaultProxy(endpoint) as proxy:
        cache = Cache([at(proxy.url, "python")], namespace="shop")

        @cache(name="double")
        def double(x: int) -> int:
            return 2 * x

        @cache(name="triple")
        async def triple(x: int) -> int:
            return 3 * x

        assert (double(1), asyncio.run(triple(1))) == (2, 3)
        proxy.refuse()
        proxy.disconnect()
        for x in range(2, 20):
            assert (double(x), asyncio.run(triple(x))) == (2 * x, 3 * x)
        proxy.calm()
        until(cache.ping)
        until(lambda: double(1) == 2 and double.call(1).status == "hit")
        cache.close()


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
    cache = Cache([at(needed("EVERWARM_TEST_MOTO"), "health")], namespace="shop")
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
    nobody = at(needed("EVERWARM_TEST_DYNALITE"), "nobody")
    store = open_store(nobody.replace("make_table=true", "make_table=0"))
    with pytest.raises(StoreError, match="hint: make it: aws dynamodb create-table"):
        store.get("a")
    with pytest.raises(ConfigError, match="hint"):
        ddl("dynamodb://ab")

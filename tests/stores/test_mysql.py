"""Caches on MySQL and MariaDB: processes and both worlds share them; functions answer whatever they do."""

from __future__ import annotations

import asyncio
import os

import pytest
from everwarm import Cache, Tier, ddl
from everwarm.testing import FaultProxy, open_store
from servers import needed
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture(scope="module")
def database():
    """A database, with tables of these tests' own and the patience that a loaded machine needs."""
    return f"{needed('EVERWARM_TEST_MARIADB')}?table=python_{os.getpid()}&timeout=5s&connect_timeout=5s"


@pytest.fixture
def url(database):
    """The same, without anything in it."""
    store = open_store(database)
    store.clear("")
    store.close()
    return database


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


@pytest.mark.parametrize(("keyword", "call"), [("def", "slow(21)"), ("async def", "asyncio.run(slow(21))")])
def test_eight_processes_compute_once(url, tmp_path, keyword, call):
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
    assert run(script, url, computed, count=8) == [["42"]] * 8
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
        assert await shop.aping() is True

    asyncio.run(main())


def test_memory_lets_go_of_what_another_process_changes(url, shop):
    @shop(name="price", tags=["prices"], ttl="1h")
    def price(sku: str) -> int:
        return 9

    there = Cache([url], namespace="shop")
    price("lamp")
    until(lambda: price.call("lamp").status == "hit")
    there.invalidate_tags("prices")
    until(lambda: price.call("lamp").status == "miss")
    shop.set("a", 1)
    there.set("a", 2)
    until(lambda: shop.get("a") == 2)
    there.close()


def test_a_function_answers_while_the_database_is_away(url):
    with FaultProxy(url) as proxy:
        cache = Cache([proxy.url], namespace="shop")

        @cache(name="double")
        def double(x: int) -> int:
            return 2 * x

        @cache(name="triple")
        async def triple(x: int) -> int:
            return 3 * x

        assert (double(1), asyncio.run(triple(1))) == (2, 3)
        proxy.refuse()
        proxy.disconnect()
        for x in range(2, 30):
            assert (double(x), asyncio.run(triple(x))) == (2 * x, 3 * x)
        proxy.calm()
        until(cache.ping)
        until(lambda: double(1) == 2 and double.call(1).status == "hit")
        cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_children_of_a_busy_parent_ask_for_themselves(url):
    script = """
    import asyncio, os, signal, sys, threading, warnings
    from everwarm import Cache

    warnings.simplefilter("ignore", DeprecationWarning)
    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="double")
    def double(x: int) -> int:
        return 2 * x

    @shop(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    going = True

    def busy(first):
        x = first
        while going:
            x += 1
            double(x)

    threads = [threading.Thread(target=busy, args=(10_000 * n,), daemon=True) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for _ in range(12):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            code = 1
            try:
                assert double(7) == 14
                assert asyncio.run(triple(7)) == 21
                assert shop.ping()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status
    going = False
    for thread in threads:
        thread.join()
    assert double(8) == 16 and shop.ping()
    print("done")
    """
    assert run(script, url) == [["done"]]


def test_health_says_what_the_database_is(shop):
    tier = shop.health("full").tiers[-1]
    assert tier.name == "mysql" and tier.facts["bytes"] > 0
    # The tests' server does not wait for the disk.
    assert [advice.about for advice in tier.warnings] == ["durability"]


def test_a_password_is_shown_nowhere(url):
    secret = url.partition("//")[2].partition("@")[0].partition(":")[2]
    tier = Tier(url, ttl="1h")
    cache = Cache(tier, namespace="shop")
    assert cache.ping()
    shown = [repr(tier), repr(cache), repr(cache.health("full")), repr(cache.tiers()), repr(open_store(url))]
    assert all(secret not in text for text in shown), shown
    cache.close()


def test_the_ddl_is_for_who_may_make_tables():
    made = ddl("mysql://db.internal/shop?table=dba")
    assert made.startswith("CREATE TABLE IF NOT EXISTS `dba` (") and "PROCEDURE" not in made
    server = f"{needed('EVERWARM_TEST_MARIADB')}?table=dba_{os.getpid()}&connect_timeout=5s"
    cache = Cache([f"{server}&make_tables=false"], namespace="shop")
    assert cache.ping() is False
    cache.close()

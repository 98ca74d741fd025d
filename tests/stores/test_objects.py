"""Caches on an object store: processes and both worlds share them, and functions answer whatever it does."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from everwarm import Cache, ConfigError, Tier
from everwarm.testing import FaultProxy, open_store
from servers import needed
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture
def url():
    """A prefix of this test's own at a stand-in, with the patience that a loaded machine needs."""
    bucket, _, options = needed("EVERWARM_TEST_S3").partition("?")
    return f"{bucket}/{uuid.uuid4().hex}?{options}&timeout=10s&connect_timeout=5s"


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_what_one_process_computes_another_has(url, shop):
    @shop(name="double")
    def double(x: int) -> int:
        return 2 * x

    assert double(21) == 42
    shop.set("greeting", "hello", ttl="1m")
    script = """
    import asyncio, sys
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    @shop(name="double")
    async def double(x: int) -> int:
        raise AssertionError("it is there")

    print(asyncio.run(double(21)), shop.get("greeting"))
    """
    assert run(script, url) == [["42", "hello"]]


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
        assert await shop.aping() is True

    asyncio.run(main())


def test_what_another_process_invalidates_is_computed_anew(url, shop):
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
    # Nobody tells of it, so memory in front keeps nothing for longer than half a second.
    until(lambda: shop.get("a") == 2)
    there.close()


def test_a_child_asks_for_itself(url):
    script = """
    import os, sys
    from everwarm import Cache

    shop = Cache([sys.argv[1]], namespace="shop")
    shop.set("a", 1)
    pid = os.fork()
    if pid == 0:
        assert shop.get("a") == 1
        shop.set("b", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(shop.get("a"), shop.get("b"))
    """
    assert run(script, url) == [["1", "2"]]


def test_a_function_answers_while_the_service_is_away(url):
    endpoint = url.partition("endpoint=")[2].partition("&")[0]
    with FaultProxy(endpoint) as proxy:
        cache = Cache([url.replace(endpoint, proxy.url)], namespace="shop")

        @cache(name="double")
        def double(x: int) -> int:
            return 2 * x

        @cache(name="triple")
        async def triple(x: int) -> int:
            return 3 * x

        assert (double(1), asyncio.run(triple(1))) == (2, 3)
        proxy.refuse()
        proxy.disconnect()
        assert (double(2), asyncio.run(triple(2))) == (4, 6)
        proxy.calm()
        until(lambda: double.call(1).status == "hit")
        cache.close()


def test_health_says_which_rule_the_bucket_should_have(shop):
    shop.set("a", 1)
    facts = shop.health("full").tiers[-1].facts
    assert facts["conditions"] == "of writes and deletes"
    assert "AbortIncompleteMultipartUpload" in facts["lifecycle"]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("s3://bucket?secret=hush", "secret_env="),
        ("s3://key:hush@bucket", "key_env="),
        ("gs://bucket?region=eu", "leave it out"),
        ("az://", "az://container"),
    ],
)
def test_what_cannot_be_meant_is_refused(url, part):
    for stores in (url, Tier(url)):
        with pytest.raises(ConfigError) as caught:
            Cache(stores)
        assert part in str(caught.value)
        assert "hush" not in str(caught.value)


def test_it_says_where_it_is_without_secrets(url, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "known")
    monkeypatch.setenv("SHOP_SECRET", "hush")
    url = url.replace("key_env=MOTO_KEY&secret_env=MOTO_KEY", "key_env=SHOP_KEY&secret_env=SHOP_SECRET")
    store = open_store(url)
    store.set("a", b"1", None)
    assert store.get("a")[0] == b"1"
    assert "hush" not in repr(store)
    store.close()

"""Databases and services behind caches: both worlds and processes share them; functions answer anyway."""

from __future__ import annotations

import asyncio
import os

import pytest
from everwarm import DO_NOT_STORE, Cache, Policy
from everwarm.testing import FaultProxy
from far import FAR
from side_by_side import has_children_that_work, run
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture(params=FAR.values(), ids=str)
def far(request):
    return request.param


@pytest.fixture
def url(far):
    return far.emptied()


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


def test_awaited_verbs_keep_to_the_caches_policy(url):
    lived = Policy(ttl=lambda value: value or DO_NOT_STORE, tags=["all"], when=lambda value: value < 100)
    shop = Cache(url, namespace="shop", policy=lived)

    async def main():
        async def compute():
            return 200 if shop.exists("b") else 40

        await shop.aset("a", 30)
        await shop.aset_many({"c": 20, "d": 0})
        assert [await shop.aget_or_compute(key, compute) for key in "be"] == [40, 200]
        lives = [await shop.attl(key) or 0 for key in "abcde"]
        assert [29 < lives[0] <= 30, 39 < lives[1] <= 40, 19 < lives[2] <= 20, *lives[3:]] == [
            True,
            True,
            True,
            0,
            0,
        ]
        await shop.ainvalidate_tags("all")
        await shop.aset("a", 0)
        assert await shop.aget_many([*"abc"]) == {"c": 20}
        await shop.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("keyword", "call"), [("def", "slow(21)"), ("async def", "asyncio.run(slow(21))")])
def test_processes_compute_once(far, url, tmp_path, keyword, call):
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
    assert run(script, url, computed, count=far.processes) == [["42"]] * far.processes
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


def test_memory_lets_go_of_what_another_process_invalidates(url, shop):
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


def test_a_function_answers_while_the_store_is_away(far, url):
    with FaultProxy(far.asked(url)) as proxy:
        cache = Cache([far.through(url, proxy.url)], namespace="shop")

        @cache(name="double")
        def double(x: int) -> int:
            return 2 * x

        @cache(name="triple")
        async def triple(x: int) -> int:
            return 3 * x

        assert (double(1), asyncio.run(triple(1))) == (2, 3)
        proxy.refuse()
        proxy.disconnect()
        for x in range(2, far.calls):
            assert (double(x), asyncio.run(triple(x))) == (2 * x, 3 * x)
        proxy.calm()
        until(cache.ping)
        until(lambda: double(1) == 2 and double.call(1).status == "hit")
        cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("far", [far for far in FAR.values() if far.children], indirect=True)
def test_children_of_a_busy_parent_ask_for_themselves(far, url):
    assert has_children_that_work(url, far.children)

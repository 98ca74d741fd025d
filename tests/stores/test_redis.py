"""Caches on Redis: processes and both worlds share them, and a function answers whatever the server does."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from everwarm import Cache, StoreError
from everwarm.testing import FaultProxy
from servers import OwnServer, emptied, needed
from side_by_side import has_children_that_work, run
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def url():
    """A server, without anything of these tests' namespace."""
    return emptied(needed("EVERWARM_TEST_REDIS"), "shop")


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
    script = """
    import asyncio, sys
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    @shop(name="double")
    async def double(x: int) -> int:
        raise AssertionError("it is there")

    print(asyncio.run(double(21)), shop.get("greeting"))
    """
    shop.set("greeting", "hello", ttl="1m")
    assert run(script, url) == [["42", "hello"]]


def test_eight_processes_compute_once(url, tmp_path):
    script = """
    import os, sys, time
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    @shop(name="slow")
    def slow(x: int) -> int:
        with open(sys.argv[2], "a") as file:
            file.write("computed\\n")
        time.sleep(0.3)
        return 2 * x

    shop.ping()
    print(slow(21))
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


def test_a_loop_that_is_not_asyncios_is_blocked_instead(url):
    shop = Cache([url], namespace="shop")

    @shop(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    def run_to_its_end(call):
        with pytest.raises(StopIteration) as ended:
            call.send(None)
        return ended.value.value

    assert [run_to_its_end(triple(7).__await__()) for _ in range(2)] == [21, 21]
    assert run_to_its_end(shop.aset("a", 1)) is None
    assert run_to_its_end(shop.aget("a")) == 1
    assert shop.stats().computations == 1
    shop.close()


def test_tasks_ask_what_memory_does_not_have(url, shop):
    shop.set_many({f"k{n}": n for n in range(100)}, ttl="1m")
    bare = Cache([url], namespace="shop")

    async def main():
        assert await bare.aget_many([f"k{n}" for n in range(100)]) == {f"k{n}": n for n in range(100)}
        assert await asyncio.gather(*(bare.aget(f"k{n}") for n in range(100))) == list(range(100))

    asyncio.run(main())
    bare.close()


def test_a_write_that_is_cancelled_leaves_no_older_value_in_memory(url, shop):
    shop.set("a", 1)
    other = Cache([url], namespace="shop")

    async def main():
        for value in range(2, 60):
            writing = asyncio.ensure_future(shop.aset("a", value))
            await asyncio.sleep(0)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            # It may still be on its way.
            until(lambda: shop.get("a") == other.get("a"))

    asyncio.run(main())
    other.close()


@pytest.fixture
def server(tmp_path):
    """A server of this test's own, which it may kill; `start` starts it again, without anything."""
    server = OwnServer(tmp_path)
    server.start()
    yield server
    server.kill()


def test_the_function_answers_while_the_server_is_killed_and_comes_back(server):
    cache = Cache([server.url], namespace="shop")

    @cache(name="double")
    def double(x: int) -> int:
        return 2 * x

    @cache(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    going, raised, longest = True, [], [0.0]

    def work():
        x = 0
        while going:
            x = (x + 1) % 50
            begun = time.monotonic()
            try:
                assert double(x) == 2 * x
            except BaseException as error:
                raised.append(error)
            longest[0] = max(longest[0], time.monotonic() - begun)

    async def tasks():
        x = 0
        while going:
            x = (x + 1) % 50
            try:
                assert await asyncio.gather(*(triple(x + n) for n in range(8))) == [
                    3 * (x + n) for n in range(8)
                ]
            except BaseException as error:
                raised.append(error)
            await asyncio.sleep(0)

    threads = [threading.Thread(target=work) for _ in range(2)]
    threads.append(threading.Thread(target=lambda: asyncio.run(tasks())))
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(0.3)
        server.kill()
        time.sleep(0.3)
        server.start()
    end = time.monotonic() + 20
    while not cache.ping():
        assert time.monotonic() < end, "it does not come back"
        time.sleep(0.05)
    going = False
    for thread in threads:
        thread.join()
    assert raised == []
    # Far above what an operation may take, for a loaded machine; far below a hang.
    assert longest[0] < 5
    cache.close()


def test_a_server_that_is_not_there_is_no_error():
    cache = Cache("redis://127.0.0.1:1/0", namespace="shop")

    @cache(name="double")
    def double(x: int) -> int:
        return 2 * x

    @cache(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    assert (double(3), asyncio.run(triple(3))) == (6, 9)
    assert cache.ping() is False
    assert cache.get("a") is None
    cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_children_of_a_busy_parent_ask_for_themselves(url):
    assert has_children_that_work(url, 50)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(url, method, tmp_path):
    script = """
    import multiprocessing, sys, warnings
    from everwarm import Cache

    warnings.simplefilter("ignore", DeprecationWarning)
    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="double")
    def double(x: int) -> int:
        return 2 * x

    if __name__ == "__main__":
        double(1)
        with multiprocessing.get_context(sys.argv[2]).Pool(3) as pool:
            print(*pool.map(double, range(5)))
    """
    path = tmp_path / "work.py"
    path.write_text(textwrap.dedent(script))
    ended = subprocess.run(
        [sys.executable, str(path), url, method], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout.split() == ["0", "2", "4", "6", "8"]


def test_a_process_ends_soon_and_with_its_own_code(url):
    script = """
    import asyncio, sys, threading
    from everwarm import Cache

    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    def busy():
        async def main():
            while True:
                await asyncio.gather(*map(triple, range(50)))
        asyncio.run(main())

    threading.Thread(target=busy, daemon=True).start()
    shop.set("a", 1)
    sys.exit(7)
    """
    begun = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script), url], timeout=30, check=False)
    assert ended.returncode == 7
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("version", [3, 2])
def test_others_are_heard_in_both_versions_of_the_protocol(version, tmp_path):
    older = ["--rename-command", "HELLO", ""] if version == 2 else []
    server = OwnServer(tmp_path, *older).start()
    url = f"{server.url}?timeout=5s"
    with Cache(url, namespace="shop") as one, Cache([url], namespace="shop") as other:
        other.set("a", 0)
        until(lambda: one.get("a") == 0)
        until(lambda: f"resp={version}" in server.say("CLIENT", "LIST", "TYPE", "pubsub"))
        for n in range(1, 4):
            other.set("a", n)
            until(lambda: one.get("a") == n)  # noqa: B023
            # It is heard of, and nothing was missed: memory lets go of this entry alone.
            assert one.get("a") == n
        assert one.tiers()[-1].errors == {}
    server.kill()


TRIP = 0.2


@pytest.mark.parametrize(
    ("verb", "trips"),
    [
        (lambda cache, n: cache.get("a"), 1),
        (lambda cache, n: cache.get_many([f"{k}" for k in range(100)]), 1),
        (lambda cache, n: cache.set("a", n), 1),
        (lambda cache, n: cache.set("a", n, tags=["t", "u"]), 1),
        (lambda cache, n: cache.set_many({f"{k}": n for k in range(100)}), 1),
        (lambda cache, n: cache.incr("count"), 2),
        (lambda cache, n: cache.delete("a"), 1),
        (lambda cache, n: cache.invalidate_tags("t"), 1),
    ],
    ids=["get", "get_many", "set", "tagged", "set_many", "incr", "delete", "invalidate"],
)
def test_how_many_trips_a_verb_takes(url, verb, trips):
    with FaultProxy(url) as proxy, Cache([proxy.url], namespace="shop") as cache:
        # The first one of a process may take more.
        verb(cache, 0), verb(cache, 1)
        proxy.delay(TRIP, way="down")
        took = []
        for n in range(3):
            begun = time.monotonic()
            verb(cache, n)
            took.append(time.monotonic() - begun)
        proxy.calm()
        assert cache.tiers()[-1].errors == {}
        # What takes one trip more takes as long on the quickest of machines.
        assert trips * TRIP <= min(took) < (trips + 0.9) * TRIP, took


def test_what_was_invalidated_since_it_was_read_is_set_again(url):
    with Cache([url], namespace="shop") as one, Cache([url], namespace="shop") as other:
        for n in range(3):
            one.set("a", n, tags=["t"])
            assert other.get("a") == n
            # Others know within half a second; what they set meanwhile is valid all the same.
            other.invalidate_tags("t")
            one.set_many({"a": -n, "b": n}, tags=["t"])
            assert other.get_many(["a", "b"]) == {"a": -n, "b": n}
            other.invalidate_tags("t")
            until(lambda: one.get_many(["a", "b"]) == {})
            one.set_many({"a": -n, "b": n}, tags=["t"])
            assert other.get_many(["a", "b"]) == {"a": -n, "b": n}


READS = "+@read +@scripting +@connection +@pubsub +info +role +time".split()


def exchanged(cache, key):
    there = cache.get_with_meta(key)
    return cache.compare_and_set(key, there.version if there else 1, 2)


@pytest.mark.parametrize(
    "verb",
    [
        lambda cache: cache.incr("n"),
        lambda cache: cache.decr("n"),
        lambda cache: cache.add("a", 1),
        lambda cache: exchanged(cache, "b"),
    ],
    ids=["incr", "decr", "add", "compare_and_set"],
)
def test_a_change_in_place_fails_with_the_kind_that_the_server_said(verb, tmp_path):
    server = OwnServer(tmp_path).start()
    assert server.say("ACL", "SETUSER", "shop", "on", ">secret", "~*", "&*", *READS) == "OK"
    refused = server.url.replace("redis://", "redis://shop:secret@")
    try:
        with Cache([f"{refused}?timeout=5s&breaker=on"], namespace="shop") as cache:
            # Also once the breaker leaves the server alone.
            for _ in range(30):
                with pytest.raises(StoreError) as caught:
                    verb(cache)
                assert caught.value.kind == "authentication", caught.value
        with Cache([f"{server.url}?timeout=5s"], namespace="shop") as cache:
            cache.set("b", 1)
            assert server.say("CONFIG", "SET", "maxmemory", "1") == "OK"
            with pytest.raises(StoreError) as caught:
                verb(cache)
            assert caught.value.kind == "capacity", caught.value
    finally:
        server.kill()


@pytest.mark.parametrize("words", [("SET", "x"), ("RPUSH", "x"), ("HSET", "e", "x")], ids=" ".join)
def test_a_namespace_whose_numbers_were_overwritten_works_again(words, tmp_path):
    server = OwnServer(tmp_path).start()
    shard = "ew{shop.0}s:shop:"
    try:
        with Cache([f"{server.url}?timeout=5s"], namespace="shop") as shop:
            double = shop(name="double", tags=["t"])(lambda x: 2 * x)
            assert [double.call(x).status for x in (1, 1)] == ["miss", "hit"]
            assert server.say("DEL", shard) == "1"
            server.say(words[0], shard, *words[1:])
            # Reads take what is no text for nothing: who then stores meets it.
            more = ["hit", "hit"] if words[0] == "SET" else ["miss", "hit"]
            assert [double.call(1).status for _ in range(3)] == ["miss", *more]
            errors = shop.tiers()[-1].errors
            assert errors.keys() == {"corruption"}
            shop.set("a", 1), shop.invalidate_tags("t"), shop.incr("n")
            assert shop.get("a") == shop.get("n") == 1
            assert [double.call(2).status for _ in range(20)] == ["miss"] + ["hit"] * 19
            assert shop.tiers()[-1].errors == errors, "it was met once"
            assert server.say("TYPE", shard) == "string"
    finally:
        server.kill()

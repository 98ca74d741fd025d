"""Caches on Memcached: processes and both worlds share them, and a function answers whatever servers do."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import time

import pytest
from everwarm import Cache, ConfigError, StoreError, Unsupported
from everwarm.testing import open_store
from servers import needed
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def url():
    """Three servers, without anything of these tests' namespace."""
    url = f"{needed('EVERWARM_TEST_MEMCACHED_SEVERAL')}&timeout=5s"
    store = open_store(url)
    store.clear("shop:")
    store.close()
    return url


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


class OwnServer:
    """A server of one test's own, which it may kill, freeze, and start again at the same port."""

    def __init__(self):
        needed("EVERWARM_TEST_MEMCACHED")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"memcached://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        words = ["-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-u", "root"]
        self._process = subprocess.Popen([os.environ["MEMCACHED"], *words])
        until(self._listens)

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def kill(self):
        self._process.kill()
        self._process.wait()

    def send(self, number):
        self._process.send_signal(number)


@pytest.fixture
def server():
    server = OwnServer()
    yield server
    server.kill()


def test_what_one_process_computes_another_has_in_either_world(url, shop):
    names = [f"f{n}" for n in range(8)]

    def double(x: int) -> int:
        return 2 * x

    async def triple(x: int) -> int:
        return 3 * x

    assert [shop(name=name)(double)(21) for name in names] == [42] * 8
    assert asyncio.run(shop(name="triple")(triple)(5)) == 15
    script = """
    import asyncio, sys
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    async def double(x: int) -> int:
        raise AssertionError("it is there")

    def triple(x: int) -> int:
        raise AssertionError("it is there")

    for n in range(8):
        print(asyncio.run(shop(name=f"f{n}")(double)(21)))
    print(shop(name="triple")(triple)(5))
    """
    assert run(script, url) == [["42"] * 8 + ["15"]]


@pytest.mark.parametrize("world", ["threads", "tasks"])
def test_four_processes_compute_once(url, tmp_path, world):
    script = """
    import asyncio, os, sys, time
    from everwarm import Cache

    url, counted, world = sys.argv[1:]
    shop = Cache(url, namespace="shop")

    def slow(x):
        with open(counted, "a") as file:
            file.write(f"{x}\\n")
        time.sleep(0.3)
        return x

    async def aslow(x):
        return slow(x)

    if world == "tasks":
        load = shop(name="slow", depends_on="nothing")(aslow)
        async def all_of():
            return await asyncio.gather(*(load(x) for x in range(4)))
        print(*asyncio.run(all_of()))
    else:
        load = shop(name="slow", depends_on="nothing")(slow)
        print(*(load(x) for x in range(4)))
    """
    counted = tmp_path / "counted"
    assert run(script, url, counted, world, count=4) == [["0", "1", "2", "3"]] * 4
    assert sorted(counted.read_text().split()) == ["0", "1", "2", "3"]


def test_what_is_deleted_while_it_is_computed_is_not_kept(url, shop):
    there = Cache([url], namespace="shop")
    source = ["old"]

    @shop(name="read", ttl=60)
    def read() -> str:
        value = source[0]
        if value == "old":
            source[0] = "new"
            there(name="read", ttl=60)(read.uncached).invalidate()
        return value

    assert read() == "old"
    until(lambda: read() == "new")
    assert there(name="read", ttl=60)(read.uncached).call().status == "hit"
    there.close()


def test_tags_clear_the_namespace_and_no_other(url, shop):
    other = Cache([url], namespace="shop2")
    there = Cache([url], namespace="shop")
    other.set("kept", 1)
    there.set("untagged", 1)
    price = there(name="price", tags=["sku:{sku}"])(lambda sku: sku)
    assert price("lamp") == "lamp" and price.call("lamp").status == "hit"
    shop.invalidate_tags("sku:lamp")
    assert price.call("lamp").status == "miss" and there.get("untagged") is None
    assert other.get("kept") == 1
    other.clear()
    there.close()
    other.close()


def test_what_cannot_be_offered_is_refused(shop):
    with pytest.raises(Unsupported, match="(?s)a scan of its names.*hint: "):
        list(shop.scan())
    with pytest.raises(ConfigError, match="(?s)weights.*hint: "):
        Cache("memcached://h1,h2?weights=1")
    store = open_store("memcached://nowhere.invalid")
    assert set(store.facets) == {"counters", "conditional", "leases", "touch", "health"}
    with pytest.raises(StoreError, match="(?s)no one namespace.*hint: ") as caught:
        store.clear("")
    assert caught.value.kind == "capability"


def test_locks_counters_and_limiters_are_shared(url, shop):
    there = Cache([url], namespace="shop")
    with shop.lock("order") as lock:
        assert not there.lock("order").acquire(wait=0)
        first = lock.token
    with there.lock("order") as lock:
        assert lock.token > first
    assert [shop.incr("visits"), there.incr("visits", 5), shop.decr("visits", 10)] == [1, 6, -4]
    # No clear meets what is counted for an hour.
    name = f"mails-{os.getpid()}-{time.time_ns()}"
    mails = [cache.limiter(name, rate="2/1h") for cache in (shop, there, there)]
    assert [one.try_acquire().allowed for one in mails] == [True, True, False]
    there.close()


def test_a_forked_child_and_its_parent_go_on(url, shop):
    shop.set("a", 1)
    child = os.fork()
    if not child:
        status = 1
        try:
            shop.set("b", shop.get("a") + 1)
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    until(lambda: shop.get("b") == 2)
    assert shop.get("a") == 1


def test_a_function_answers_while_the_server_is_down_frozen_or_back(server):
    shop = Cache([server.url], namespace="shop")
    calls = []

    @shop(name="load")
    def load(x: int) -> int:
        calls.append(x)
        return x

    assert load(1) == load(1) == 1 and calls == [1]
    server.send(signal.SIGSTOP)
    began = time.monotonic()
    assert load(2) == 2 and time.monotonic() - began < 5
    server.send(signal.SIGCONT)
    until(lambda: load.call(1).status == "hit")
    server.kill()
    began = time.monotonic()
    assert [load(x) for x in range(3, 9)] == [*range(3, 9)] and time.monotonic() - began < 5
    server.start()
    until(lambda: load(1) == 1 and load.call(1).status == "hit")
    (tier,) = shop.tiers()
    assert tier.name == "memcached" and tier.errors
    shop.close()


def test_a_value_that_is_too_large_is_said_and_not_kept(shop):
    @shop(name="large")
    def large() -> bytes:
        return os.urandom(2 << 20)

    assert len(large()) == 2 << 20
    assert any(tier.errors.get("capacity") for tier in shop.tiers())

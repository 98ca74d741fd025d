"""Caches on a server behind HTTP: processes share them, and a function answers whatever the server does."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from everwarm import Cache, StoreError
from everwarm.testing import open_store
from served import command, serving
from side_by_side import run
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def url(tmp_path):
    with serving("--store", f"disk://{tmp_path}/store") as (url, _):
        yield url


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


def test_several_processes_compute_once(url, tmp_path):
    script = """
    import sys, time
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
        assert sorted(shop.scan()) == ["a", "n"]
        assert await shop.adelete("a") is True
        assert await shop.aping() is True

    asyncio.run(main())


def test_what_one_invalidates_leaves_the_memory_of_the_other(url, shop):
    other = Cache(url, namespace="shop")
    computed = []

    def price(sku: str) -> int:
        computed.append(sku)
        return len(computed)

    here, there = (cache(price, name="price", tags=["prices"]) for cache in (shop, other))
    assert (here("lamp"), there("lamp")) == (1, 1)
    until(lambda: there.call("lamp").tier == "memory")
    shop.invalidate_tags("prices")
    assert here("lamp") == 2
    until(lambda: there("lamp") == 2)
    shop.set("a", 1, ttl="1m")
    assert other.get("a") == 1
    shop.set("a", 2, ttl="1m")
    until(lambda: other.get("a") == 2)
    other.close()


def free():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def test_a_function_answers_whatever_the_server_does(tmp_path):
    at = f"127.0.0.1:{free()}"
    shop = Cache([f"http://{at}?timeout=5s"], namespace="shop")

    @shop(name="double")
    def double(x: int) -> int:
        return 2 * x

    assert double(1) == 2
    with serving("--store", f"disk://{tmp_path}/store", listen=at) as (_, server):
        until(lambda: double.call(2).status == "hit")
        server.kill()
        server.wait()
        assert [double(n) for n in range(20)] == [2 * n for n in range(20)]
    with serving("--store", f"disk://{tmp_path}/store", listen=at):
        until(lambda: double.call(2).status == "hit")
    shop.close()


def test_a_forked_child_asks_for_itself(shop):
    shop.set("a", 1, ttl="1m")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            shop.set("b", 2, ttl="1m")
            status = 0 if (shop.get("a"), shop.get("b")) == (1, 2) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert (shop.get("a"), shop.get("b")) == (1, 2)


def test_only_who_has_the_token_is_let_in(tmp_path, monkeypatch):
    env = {"CACHE_TOKEN": "first-secret second-secret"}
    own = tmp_path / "token"
    own.write_text("second-secret\n")
    with serving("--token-env", "CACHE_TOKEN", env=env) as (url, _):
        known = open_store(f"{url}?token_file={own}")
        known.set("a", b"1")
        assert "secret" not in repr(known)
        monkeypatch.setenv("SHOP_TOKEN", "first-secret")
        assert open_store(f"{url}?token_env=SHOP_TOKEN").get("a")[0] == b"1"
        with pytest.raises(StoreError, match="(?s)authentication.*hint: .*token_env") as caught:
            open_store(url).get("a")
        assert caught.value.kind == "authentication"
        shop = Cache([url], namespace="shop")
        assert shop.ping() is False and shop(lambda x: x, name="same")(3) == 3
        shop.close()
    with serving("--token-file", own) as (url, _), pytest.raises(StoreError, match="authentication"):
        open_store(url).get("a")


def test_a_large_body_is_refused(tmp_path):
    with serving("--max-body", "100kB", "--connections", "8", "--grace", "1s") as (url, _):
        store = open_store(url)
        store.set("a", b"x" * 100_000)
        with pytest.raises(StoreError, match="capacity|too") as caught:
            store.set("a", b"x" * 300_000)
        assert caught.value.kind == "capacity"


def test_memory_is_bounded_as_it_says():
    with serving("--store", "memory://?max_entries=2&eviction=lru") as (url, _):
        store = open_store(url)
        for n in range(5):
            store.set(f"n{n}", b"x")
        assert store.scan()[0] == ["n3", "n4"]


def test_it_is_encrypted_with_a_certificate(tmp_path):
    if shutil.which("openssl") is None:
        assert os.environ.get("CI") != "true", "openssl is missing"
        pytest.skip("openssl is missing")
    names = [str(tmp_path / name) for name in ("server.crt", "server.key")]
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    made = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(
        ["openssl", *options.split(), *made, "-out", names[0], "-keyout", names[1]],
        check=True,
        capture_output=True,
    )
    with serving("--certificate", names[0], "--key", names[1]) as (url, _):
        assert url.startswith("https://")
        store = open_store(f"{url}?ca={names[0]}")
        store.set("a", b"1")
        assert store.get("a")[0] == b"1"
        with pytest.raises(StoreError, match="trust"):
            open_store(url).get("a")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--store", "dsk:"], "hint: "),
        (["--store", "disk://host/x"], "hint: "),
        (["--store", "memory://?max_entires=2"], "max_entries"),
        (["--store", "memory://?max_entries=0"], "at least 1"),
        (["--listen", "nowhere"], "127.0.0.1:8080"),
        (["--listen", "0.0.0.0:0"], "--open"),
        (["--token-env", "CACHE_NO_TOKEN"], "CACHE_NO_TOKEN"),
        (["--token-file", "/there/is/none"], "/there/is/none"),
        (["--certificate", "a.pem"], "both"),
        (["--certificate", "/no.pem", "--key", "/no.pem"], "PEM"),
        (["--max-body", "much"], "hint: "),
        (["--connections", "0"], "at least 1"),
        (["--grace", "soon"], "hint: "),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_ends_it_with_a_hint(arguments, said):
    done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and "hint: " in done.stderr and "Traceback" not in done.stderr


def test_open_lets_everybody_in():
    with serving("--open", listen="0.0.0.0:0") as (url, _):
        open_store(url.replace("0.0.0.0", "127.0.0.1")).ping()


def test_it_ends_when_it_is_told_to_and_answers_before():
    with serving() as (url, server):
        store = open_store(url)
        store.set("a", b"1")
        began = time.monotonic()
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=30) == 0
        assert time.monotonic() - began < 15
        with pytest.raises(StoreError, match="cannot be reached|ended the connection"):
            store.get("a")

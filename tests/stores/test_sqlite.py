"""Caches in a file of SQLite: processes share them, children open it anew, and nothing holds a loop up."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing, contextmanager

import pytest
from everwarm import Cache, ConfigError, Tier, UnknownOption, Unsupported, ddl
from everwarm.testing import open_store
from side_by_side import has_children_that_work, run
from worlds import until

pytestmark = pytest.mark.timeout(120)
once = pytest.mark.once


@pytest.fixture
def url(tmp_path):
    """A file, with the patience that a loaded machine needs."""
    return f"sqlite://{tmp_path}/cache.db?busy_timeout=20s"


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


@contextmanager
def writing(path):
    """Another process writes to the file until the block ends: a lock of this one would keep nobody out."""
    code = """
        import sqlite3, sys
        there = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
        there.execute("BEGIN IMMEDIATE")
        print("begun", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as other:
        assert other.stdout.readline() == "begun\n"
        yield
        other.communicate()
    assert other.returncode == 0


@once
def test_what_one_process_computes_another_has(url, shop):
    @shop(name="double", depends_on="nothing")
    def double(x: int) -> int:
        return 2 * x

    assert double(21) == 42
    shop.set("greeting", "hello", ttl="1m")
    script = """
    import asyncio, sys
    from everwarm import Cache

    shop = Cache(sys.argv[1], namespace="shop")

    @shop(name="double", depends_on="nothing")
    async def double(x: int) -> int:
        raise AssertionError("it is there")

    print(asyncio.run(double(21)), shop.get("greeting"))
    """
    assert run(script, url) == [["42", "hello"]]


@once
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


@once
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


@once
def test_memory_lets_go_of_what_another_process_does(url, shop):
    @shop(name="price", tags=["prices"], ttl="1h")
    def price(sku: str) -> int:
        return 9

    price("lamp")
    until(lambda: price.call("lamp").status == "hit")
    shop.set("a", 1)
    script = """
    import sys
    from everwarm import Cache

    there = Cache([sys.argv[1]], namespace="shop")
    there.invalidate_tags("prices")
    there.set("a", 2)
    """
    run(script, url)
    until(lambda: price.call("lamp").status == "miss")
    until(lambda: shop.get("a") == 2)


@once
def test_a_loop_goes_on_while_another_process_writes(url, shop, tmp_path):
    shop.set("a", 1)
    longest = 0.0

    async def main():
        nonlocal longest
        with writing(tmp_path / "cache.db"):
            writes = [asyncio.ensure_future(shop.aset(f"k{n}", n)) for n in range(20)]
            for _ in range(30):
                begun = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - begun)
            assert not any(write.done() for write in writes)
            assert await shop.aget("a") == 1
        await asyncio.gather(*writes)
        assert await shop.aget_many([f"k{n}" for n in range(20)]) == {f"k{n}": n for n in range(20)}

    asyncio.run(main())
    assert longest < 1


@once
def test_functions_answer_while_nothing_can_be_written(tmp_path):
    cache = Cache([f"sqlite://{tmp_path}/cache.db?busy_timeout=10ms"], namespace="shop")

    @cache(name="double")
    def double(x: int) -> int:
        return 2 * x

    @cache(name="triple")
    async def triple(x: int) -> int:
        return 3 * x

    assert (double(1), asyncio.run(triple(1))) == (2, 3)
    with writing(tmp_path / "cache.db"):
        for x in range(2, 6):
            assert (double(x), asyncio.run(triple(x))) == (2 * x, 3 * x)
        assert double.call(1).status == "hit"
    until(lambda: double(9) == 18 and double.call(9).status == "hit")
    cache.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_children_of_a_busy_parent_open_it_anew(url, tmp_path):
    assert has_children_that_work(url, 25)
    with closing(sqlite3.connect(tmp_path / "cache.db")) as there:
        assert there.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@once
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_what_a_child_writes_stays_after_its_parent_is_gone(url, tmp_path):
    """SQLite would take the log away with the parent, if it did not know of the child."""
    script = """
    import os, sqlite3, sys, time
    from everwarm import Cache

    shop = Cache([sys.argv[1]], namespace="shop")
    shop.set("a", 1)
    child = os.fork()
    if child:
        shop.close()
        # A program that opens the file alone, closes it, and clears up.
        there = sqlite3.connect(sys.argv[2])
        there.execute("SELECT count(*) FROM everwarm").fetchone()
        there.close()
        open(sys.argv[2] + ".gone", "w").close()
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status))
    else:
        shop.set("b", 2)
        until = time.monotonic() + 30
        while not os.path.exists(sys.argv[2] + ".gone") and time.monotonic() < until:
            time.sleep(0.01)
        shop.set("c", 3)
        os._exit(0 if shop.get("b") == 2 else 1)
    """
    assert run(script, url, tmp_path / "cache.db") == [["0"]]
    found = Cache([url], namespace="shop").get_many(["a", "b", "c"])
    assert found == {"a": 1, "b": 2, "c": 3}


@once
def test_writers_that_are_killed_leave_whole_entries(url):
    script = """
        import sys
        from everwarm import Cache
        cache = Cache([sys.argv[1]], namespace="shop")
        for number in range(10**9):
            cache.set(f"k{number}", [number] * 1000)
            print(number, flush=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), url]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for writer in writers:
        while int(writer.stdout.readline()) < 150:
            pass
    acknowledged = []
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.communicate()[0].split()
    last = max(150, *map(int, acknowledged or ["0"]))
    names = [f"k{number}" for number in range(last + 1)]
    found = Cache([url], namespace="shop").get_many(names)
    assert found == {f"k{number}": [number] * 1000 for number in range(last + 1)}


@once
def test_a_full_disk_is_counted_and_survived(tmp_path):
    script = """
    import resource, sys
    from everwarm import Cache

    cache = Cache([sys.argv[1]], namespace="shop")

    @cache(name="page")
    def page(x: int) -> bytes:
        return bytes(100_000)

    cache.set("a", 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    for x in range(100):
        assert page(x) == bytes(100_000)
    assert sum(cache.tiers()[-1].errors.values()) > 0 and cache.get("a") == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    page(200)
    print(page.call(200).status)
    """
    assert run(script, f"sqlite://{tmp_path}/cache.db") == [["hit"]]


@once
def test_code_that_changes_makes_its_entries_anew(url):
    """As with `disk:`, a file outlives the code that filled it."""
    template = """
    import sys
    from everwarm import Cache
    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="price")
    def price(sku: str) -> int:
        return {number}

    print(price("lamp"))
    """
    # A script given by `-c` has no source; a file has.
    for number in (1, 1, 2):
        code = textwrap.dedent(template.format(number=number))
        path = os.path.join(os.path.dirname(url.partition("?")[0][len("sqlite://") :]), "script.py")
        with open(path, "w") as file:
            file.write(code)
        done = subprocess.run([sys.executable, path, url], capture_output=True, text=True, check=True)
        assert done.stdout.split() == [str(number)]


@once
def test_what_cannot_be_meant_is_said_at_once(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="three|does not say which file"):
        Cache("sqlite:cache.db")
    with pytest.raises(ConfigError, match="memory://"):
        Cache("sqlite://:memory:")
    with pytest.raises(UnknownOption, match="max_bytes"):
        Cache("sqlite:///c.db?max_byte=1GB")
    with pytest.raises(Unsupported, match="no time limit"):
        Cache([Tier("sqlite:///c.db", timeout=1)])
    assert 'CREATE TABLE IF NOT EXISTS "pages"' in ddl("sqlite:///c.db?table=pages")
    monkeypatch.chdir(tmp_path)
    cache = Cache(["sqlite://./here.db"], namespace="shop")
    cache.set("a", 1)
    monkeypatch.chdir("/")
    assert (tmp_path / "here.db").exists()
    cache.close()


@once
def test_a_file_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "cache.db"
    path.write_bytes(b"dear diary, " * 1000)
    cache = Cache([f"sqlite://{path}"], namespace="shop")

    @cache(name="double")
    def double(x: int) -> int:
        return 2 * x

    assert double(4) == 8 and cache.ping() is False
    assert path.read_bytes() == b"dear diary, " * 1000
    cache.close()


@once
def test_health_says_what_the_file_is(shop):
    shop.set("a", 1)
    tier = shop.health("full").tiers[-1]
    assert (tier.name, tier.state) == ("sqlite", "ok")
    assert tier.facts["version"].startswith("sqlite 3.") and tier.facts["journal_mode"] == "wal"
    assert tier.facts["used_bytes"] > 0 and tier.facts["entries"] >= 1


@once
def test_a_store_that_is_opened_says_what_it_offers(tmp_path):
    with pytest.raises(ConfigError):
        open_store("sqlite://cache.db")
    store = open_store(f"sqlite://{tmp_path}/cache.db")
    store.set("a", b"1", 60)
    assert store.again().get("a")[0] == b"1"
    assert "notify" in store.facets and "suspend" in store.facets
    store.close()

"""Moving to another store: what is copied lives on, and what is gone in the old one stays gone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from everwarm import Cache, ConfigError, Keyring, StoreError, Unsupported
from everwarm.testing import FaultProxy, open_store
from servers import emptied, needed
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]

SPACE = "moving"


@pytest.fixture
def url(tmp_path):
    """The URL of an empty store of a kind; of disk as many as are asked for."""

    def one(kind, name="store"):
        if kind == "disk":
            return f"disk://{tmp_path}/{name}"
        if kind == "redis":
            return emptied(needed("EVERWARM_TEST_REDIS"), SPACE)
        table = f"{needed('EVERWARM_TEST_POSTGRES')}?table=moving_{os.getpid()}&timeout=5s&connect_timeout=5s"
        store = open_store(table)
        store.clear("")
        store.close()
        return table

    return one


@pytest.fixture
def cache():
    """Makes caches without memory in front, as of processes of their own."""
    made = []

    def one(url, **keywords):
        made.append(Cache([url], namespace=SPACE, **keywords))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture(params=["sync", "async"])
def ask(request):
    def asked(old, *args, **keywords):
        if request.param == "sync":
            return old.copy_to(*args, **keywords)
        return asyncio.run(old.acopy_to(*args, **keywords))

    return asked


def square(cache):
    # What lies on disk depends on the source else, and has other names.
    @cache(ttl="1h", name="square", tags=["{x}", "all"], depends_on="nothing")
    def square(x):
        return x * x

    return square


@pytest.mark.parametrize("kinds", ["disk disk", "disk redis", "redis postgres", "postgres disk"])
def test_what_is_copied_lives_on(url, cache, ask, kinds):
    kind, other = kinds.split()
    old, new = cache(url(kind, "old")), cache(url(other, "new"))
    before, after = square(old), square(new)
    assert [before(x) for x in range(150)] == [x * x for x in range(150)]
    old.set("greeting", "hello", ttl="10m", tags=["words"])
    old.incr("visits", 41)
    old.set("short", "gone by then", ttl="10ms")
    old.set("dropped", 1, tags=["dropped"])
    old.invalidate_tags("3", "dropped")
    time.sleep(0.05)
    told = []
    copied = ask(old, new, progress=told.append)
    assert told[-1] == copied and [each.place for each in told].count(None) == 1
    assert copied.copied == 151 and copied.refused == copied.dropped == 0 and copied.checked == 151
    assert [after.call(x).status for x in (0, 3, 149)] == ["hit", "miss", "hit"]
    assert new.get("greeting") == "hello" and 590 < new.ttl("greeting") <= 600
    assert new.incr("visits") == 42
    assert "short" not in new and "dropped" not in new
    new.invalidate_tags("7", "words")
    assert after.call(7).status == "miss" and "greeting" not in new
    after.clear()
    assert after.call(8).status == "miss"
    again = ask(old, new)
    assert before.call(9).status == "hit" and again.there + again.copied + again.gone == again.seen


def test_the_memory_in_front_of_the_target_lets_go_of_what_had_to_go(url, cache):
    old = cache(url("disk", "old"))
    new = Cache(url("disk", "new"), namespace=SPACE)
    old.set("k", "old")
    old.copy_to(new)
    assert new.get("k") == "old"
    old.set("k", "new")
    old.copy_to(new)
    assert new.get("k") == "new"
    old.delete("k")
    assert old.copy_to(new).dropped == 1
    assert "k" not in new
    new.close()


def test_under_load_nobody_sees_in_the_target_what_was_invalidated_in_both(url, cache):
    places = url("disk", "old"), url("redis")
    keys, truth, acknowledged = range(20), [0] * 20, [0] * 20
    done, wrong = threading.Event(), []

    def of(place):
        @cache(place)(ttl="1h", name="truth", tags=["{key}"], depends_on="nothing")
        def read(key):
            return truth[key]

        return read

    def write():
        old, new = map(cache, places)
        while not done.is_set():
            for key in keys:
                truth[key] += 1
                version = truth[key]
                for each in old, new:
                    each.invalidate_tags(str(key))
                acknowledged[key] = version

    def serve(place):
        read = of(place)
        while not done.is_set():
            for key in keys:
                least = acknowledged[key]
                value = read(key)
                if value < least:
                    wrong.append((place, key, value, least))

    threads = [threading.Thread(target=serve, args=(place,)) for place in places]
    threads.append(threading.Thread(target=write))
    for thread in threads:
        thread.start()
    try:
        old, new = map(cache, places)
        copies, end = [], time.monotonic() + 3
        while time.monotonic() < end:
            copies.append(old.copy_to(new))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert sum(each.copied for each in copies) > 0 and min(acknowledged) > 3


COPIER = """
import sys
from everwarm import Cache

old, new = (Cache([url], namespace="moving") for url in sys.argv[1:])
old.copy_to(new, rate=128, progress=lambda copied: print(copied.place, flush=True))
"""


@pytest.mark.proves("copy_to.after")
def test_after_a_kill_it_goes_on_from_its_place_and_knows_what_was_invalidated_meanwhile(url, cache):
    places = url("disk", "old"), url("redis")
    old, new = map(cache, places)
    before, after = square(old), square(new)
    for x in range(400):
        before(x)
    command = [sys.executable, "-c", textwrap.dedent(COPIER), *places]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copier:
        place = [copier.stdout.readline().strip() for _ in range(2)][-1]
        copier.send_signal(signal.SIGKILL)
    assert place.startswith("copy:")
    hits = [x for x in range(400) if after.peek(x) is not None]
    assert 0 < len(hits) < 400
    # In the old store alone: nobody tells the new one.
    old.invalidate_tags(*map(str, hits[:5]))
    assert before(hits[0]) == hits[0] ** 2
    copied = old.copy_to(new, after=place)
    assert copied.seen < 400 and copied.dropped == 4
    assert all(after.peek(x) is None for x in hits[1:5])
    missing = [x for x in range(400) if after.peek(x) is None]
    assert missing == sorted(hits[1:5])


@pytest.mark.proves("copy_to.rate")
def test_it_is_as_slow_as_it_is_told(url, cache, ask):
    old, new = cache(url("disk", "old")), cache(url("disk", "new"))
    for x in range(50):
        old.set(f"k{x}", x)
    began = time.monotonic()
    copied = ask(old, new, rate=100)
    # Each is looked at twice.
    assert copied.copied == 50 and time.monotonic() - began > 0.9


@pytest.mark.proves("copy_to.progress")
def test_what_progress_raises_ends_it(url, cache, ask):
    old, new = cache(url("disk", "old")), cache(url("disk", "new"))
    for x in range(200):
        old.set(f"k{x}", x)

    def stop(copied):
        raise RuntimeError(copied.place)

    with pytest.raises(RuntimeError, match="copy:"):
        ask(old, new, progress=stop)
    assert 0 < len(list(new.scan())) < 200


def test_a_store_that_does_not_answer_is_told_and_it_goes_on_after(url, cache, ask):
    old = cache(url("disk", "old"))
    for x in range(200):
        old.set(f"k{x}", x)
    with FaultProxy(url("redis")) as proxy:
        new = cache(proxy.url)
        assert new.ping()
        places = []

        def cut(copied):
            places.append(copied.place)
            proxy.refuse()
            proxy.disconnect()

        with pytest.raises(StoreError):
            ask(old, new, progress=cut)
        proxy.calm()
        until(new.ping)
        assert ask(old, new, after=places[-1]).place is None
        assert sorted(new.scan()) == sorted(old.scan())


def test_what_cannot_be_meant_is_refused(url, cache, ask):
    old, new = cache(url("disk", "old")), cache(url("disk", "new"))
    for wrong in (
        {"other": "redis://host"},
        {"after": 3},
        {"after": "elsewhere"},
        {"progress": 3},
        {"rate": 0},
        {"rate": True},
        {"rate": 0.5},
    ):
        with pytest.raises(ConfigError, match="hint"):
            ask(old, **{"other": new, **wrong})
    with pytest.raises(ConfigError, match="without stores"):
        ask(Cache(), new)
    sealed = cache(
        url("disk", "sealed"),
        keyring=Keyring("7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"),
    )
    for pair in (old, sealed), (sealed, old):
        with pytest.raises(Unsupported, match="hint"):
            ask(*pair)
    with (
        Cache([url("disk", "other")], namespace="other") as other,
        pytest.raises(Unsupported, match="namespace"),
    ):
        ask(old, other)


def test_a_store_that_lists_no_names_is_refused(url, cache):
    old, new = cache(url("disk", "old")), cache(needed("EVERWARM_TEST_MEMCACHED"))
    for pair in (old, new), (new, old):
        with pytest.raises(Unsupported, match="list"):
            pair[0].copy_to(pair[1])


def test_the_command_copies(url, cache):
    places = url("disk", "old"), url("disk", "new")
    old, new = map(cache, places)
    for x in range(100):
        old.set(f"k{x}", x)

    def run(*arguments):
        command = [sys.executable, "-m", "everwarm", "copy", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    done = run(*places, "--namespace", SPACE)
    assert done.returncode == 0, done.stderr
    assert "100 copied" in done.stdout and "; at copy:" in done.stderr
    assert len(new.get_many([f"k{x}" for x in range(100)])) == 100
    again = run(*places, "--namespace", SPACE, "--quiet", "--after", "check")
    assert (again.returncode, again.stderr) == (0, "") and "100 checked" in again.stdout
    wrong = run(*places, "--after", "nowhere")
    assert wrong.returncode == 2 and "hint" in wrong.stderr


def test_the_command_says_where_to_go_on(url, cache):
    places = url("disk", "old"), url("disk", "new")
    old, new = map(cache, places)
    for x in range(300):
        old.set(f"k{x}", x)
    command = [sys.executable, "-m", "everwarm", "copy", *places, "--namespace", SPACE, "--rate", "64"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as copier:
        assert "at copy:" in copier.stderr.readline()
        copier.send_signal(signal.SIGINT)
        said = copier.stderr.read()
    assert copier.returncode == 130
    place = said.rpartition("--after ")[2].strip().strip("'")
    assert place.startswith("copy:") and "Traceback" not in said
    assert old.copy_to(new, after=place).seen < 300
    assert len(list(new.scan())) == 300

"""Moving step by step: caches of two neighbouring steps are at work at once, and nothing old is seen."""

from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time

import pytest
from everwarm import Cache, ConfigError, Keyring, Moving, StoreError, Tier
from everwarm.testing import FaultProxy, open_store
from servers import emptied, needed
from worlds import until

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]

SPACE = "steps"
STEPS = (None, "prepare", "move", "finish", "done")


def at(step, old, new):
    """What a cache has for a store at a step."""
    return {None: old, "done": new}.get(step) or Moving(old, new, step)


@pytest.fixture
def url(tmp_path):
    """The URL of an empty store of a kind."""

    def one(kind):
        if kind in ("redis", "memcached"):
            return emptied(needed(f"EVERWARM_TEST_{kind.upper()}"), SPACE)
        if kind in ("postgres", "mariadb"):
            given = needed(f"EVERWARM_TEST_{kind.upper()}")
            table = f"{given}?table=steps_{os.getpid()}&timeout=5s&connect_timeout=5s"
            store = open_store(table)
            store.clear("")
            store.close()
            return table
        return f"{kind}://{tmp_path}/{kind}"

    return one


@pytest.fixture
def cache():
    """Makes caches as of processes of their own."""
    made = []

    def one(store, memory=False, **keywords):
        tiers = ["memory://", store] if memory else [store]
        made.append(Cache(tiers, namespace=SPACE, **keywords))
        return made[-1]

    yield one
    for each in made:
        each.close()


KINDS = ["disk redis", "redis postgres", "memcached redis", "mariadb sqlite", "file memcached"]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("world", ["sync", "async"])
def test_nothing_is_cold_and_nothing_comes_back(url, cache, kinds, world):
    stores = [url(kind) for kind in kinds.split()]
    number = itertools.count()

    def function(step):
        made = cache(at(step, *stores))
        policy = {"ttl": "1h", "name": "count", "tags": ["{x}", "all"], "depends_on": "nothing"}
        if world == "sync":
            return made, made(**policy)(lambda x: next(number))

        async def count(x):
            return next(number)

        counted = made(**policy)(count)
        return made, lambda x: asyncio.run(counted(x))

    for earlier, later in itertools.pairwise(STEPS):
        (behind, one), (ahead, two) = function(earlier), function(later)
        assert one("a") == two("a"), "what the step before has, the next one has, too"
        for changing in behind, ahead:
            for change in (lambda by=changing: by.invalidate_tags("a")), changing.clear:
                seen = max(one("a"), two("a"))
                change()
                assert min(one("a"), two("a")) > seen, (earlier, later)
            changing.set("own", later)
            assert changing.get("own") == later
            changing.delete("own")
            assert behind.get("own") is None and ahead.get("own") is None


def test_how_far_it_is_can_be_seen(url, cache):
    stores = url("disk"), url("redis")
    before = cache(stores[0])
    for x in range(20):
        before.set(f"k{x}", x, ttl="1h", tags=[f"t{x % 2}"])
    moving = cache(Moving(Tier(stores[0]), Tier(stores[1], ttl="2h"), "move"))
    assert "beside: disk (old, read)" in str(moving.describe())
    assert moving.get_many([f"k{x}" for x in range(10)]) == {f"k{x}": x for x in range(10)}
    assert [moving.get(f"k{x}") for x in range(20)] == list(range(20))
    new, old = moving.tiers()
    assert (new.name, old.name, old.hits) == ("redis", "disk (old)", 40)
    assert [moving.get(f"k{x}") for x in range(20)] == list(range(20))
    assert moving.tiers()[1].hits == 40, "each is brought over once: a look, and one under the lease"
    assert [tier.name for tier in moving.health().tiers] == ["redis", "disk (old)"]
    after = cache(stores[1])
    assert 3_500 < after.ttl("k3") <= 3_600
    after.invalidate_tags("t1")
    assert after.get("k3") is None and after.get("k2") == 2


def test_caches_with_a_keyring_move_too(url, cache):
    stores, keyring = (url("disk"), url("redis")), Keyring(os.urandom(32))
    cache(stores[0], keyring=keyring).set("a", "secret", tags=["t"])
    moving = cache(Moving(*stores, "move"), keyring=keyring)
    assert moving.get("a") == "secret"
    after = cache(stores[1], keyring=keyring)
    assert after.get("a") == "secret"
    after.invalidate_tags("t")
    assert after.get("a") is None


def test_memory_in_front_hears_of_both_sides(url, cache):
    stores = url("redis"), url("postgres")
    behind, ahead = (cache(Moving(*stores, step), memory=True) for step in ("prepare", "move"))
    behind.set("a", 1)
    until(lambda: behind.get("a") == ahead.get("a") == 1)
    ahead.set("a", 2)
    until(lambda: behind.get("a") == 2)
    behind.set("a", 3)
    until(lambda: ahead.get("a") == 3)
    ahead.delete("a")
    until(lambda: behind.get("a") is None)


def test_one_store_decides(url, cache):
    stores = url("redis"), url("postgres")
    behind, ahead = (cache(Moving(*stores, step)) for step in ("prepare", "move"))
    assert [each.incr("n") for each in (behind, ahead, behind, ahead)] == [1, 2, 3, 4]
    assert behind.get("n") == ahead.get("n") == 4
    with behind.lock("door"), pytest.raises(Exception, match="door"), ahead.lock("door", wait=0):
        pass


def test_where_the_old_store_fails_nothing_old_comes_from_it(url, cache):
    redis, disk = url("redis"), url("disk")
    with FaultProxy(redis.partition("?")[0]) as proxy:
        moving = cache(Moving(f"{proxy.url}?timeout=300ms", disk, "move"))
        other = cache(Moving(redis, disk, "move"))
        other.set("a", 1, tags=["t"])
        cache(redis).set("b", 1, tags=["t"])
        proxy.refuse()
        moving.invalidate_tags("t")
        assert moving.get("a") is None and moving.get("b") is None
        # The old store does not know yet, and another process brings it over.
        assert other.get("b") == 1
        proxy.calm()
        until(lambda: other.get("a") is None and other.get("b") is None)
        assert cache(disk).get("b") is None


def test_under_load_no_step_shows_what_was_invalidated(url, cache):
    """A value is never older than what was invalidated before its read began, whoever did it."""
    stores = url("redis"), url("postgres")
    truth, told = itertools.count(1), [0]
    source = [next(truth)]
    wrong, reads = [], itertools.count()

    def reader(step, over):
        made = cache(at(step, *stores))
        read = made(ttl="1h", name="read", tags=["t"], depends_on="nothing")(lambda: source[0])
        while not over.is_set():
            floor = told[0]
            value = read()
            next(reads)
            if value < floor:
                wrong.append((step, floor, value))

    for pair in itertools.pairwise(STEPS):
        over = threading.Event()
        threads = [threading.Thread(target=reader, args=(step, over)) for step in pair * 2]
        for thread in threads:
            thread.start()
        writers = [cache(at(step, *stores)) for step in pair]
        end = time.monotonic() + 1.5
        for writer in itertools.cycle(writers):
            source[0] = next(truth)
            writer.invalidate_tags("t")
            told[0] = source[0]
            time.sleep(0.01)
            if time.monotonic() > end:
                break
        over.set()
        for thread in threads:
            thread.join()
    assert not wrong, wrong[:5]
    assert next(reads) > 1_000


def test_what_cannot_be_meant_is_refused(url, tmp_path):
    disk = url("disk")
    with pytest.raises(ConfigError, match="hint: .*move"):
        Moving(disk, disk, "moving")
    with pytest.raises(ConfigError, match="is no store"):
        Moving(disk, Moving(disk, disk, "move"), "move")
    with pytest.raises(ConfigError, match="is the last tier"):
        Cache([Moving(disk, url("file"), "move"), url("sqlite")])
    with pytest.raises(ConfigError, match="hint"):
        Cache([Moving(disk, "rediss:/nowhere", "prepare")])
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        Cache([Moving(disk, f"disk://{tmp_path}/file", "prepare")], namespace=SPACE).get("a")
    assert "secret" not in repr(Moving("redis://u:secret@host", disk, "move"))

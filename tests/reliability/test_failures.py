"""What a caller gets in each situation in which something fails, shown against the real thing.

Each test says which row of the table of ``failures`` it shows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from contextvars import ContextVar
from types import SimpleNamespace

import pytest
import wall_clock
from everwarm import Cache, ConfigError, KeyRefused, Keyring, StoreError, TenantMissing, UnknownOption
from everwarm.testing import FaultProxy, open_store
from failures import shows
from process import TAKEOVER, Holder, Process
from servers import OwnServer, emptied, needed
from shop import NOWHERE, PATIENCE, SLACK, SLOWEST, Shop
from slots import Move, of_entry
from worlds import Gate, Threads, adds_up, crowd, until

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]

REDIS = "EVERWARM_TEST_REDIS"
KEY = "1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"


def opens(shop):
    """Calls until the breaker leaves the server alone, and then cost little."""
    for _ in range(10):
        shop.fresh(5)
        if "breaker" in shop.tier.unasked:
            break
    assert shop.tier.breaker in ("open", "half-open"), "the breaker does not open"
    # Trials may be among them, which wait for their time limit.
    assert shop.fresh(50) < 3 * SLOWEST
    assert shop.slowest < SLOWEST


@shows("store down at start, dies mid-call, comes back")
def test_a_store_that_is_down_at_the_start(world):
    shop = Shop(world, [NOWHERE])
    opens(shop)
    assert set(shop.errors) == {"transient"}
    shop.end()


@shows("store down at start, dies mid-call, comes back")
def test_a_store_that_dies_in_mid_call_and_comes_back(world, server):
    def double(x):
        if x == 7:
            server.kill()
        return 2 * x

    shop = Shop(world, [server.url], body=double)
    shop.recovers()
    before = shop.errors
    shop.call(7)
    assert set(shop.errors) <= {"transient", "timeout"} and shop.errors != before
    server.start()
    shop.recovers()
    shop.end()


@shows("store slow (brown-out)")
def test_a_slow_store_is_left_alone(world):
    with FaultProxy(needed(REDIS)) as proxy:
        shop = Shop(world, [proxy.url])
        proxy.delay("40ms", way="down")
        opens(shop)
        assert set(shop.errors) <= {"transient", "timeout"}
        proxy.calm()
        shop.recovers()
        shop.end()


@shows("store slow (brown-out)")
def test_an_old_value_is_served_at_once(world):
    with FaultProxy(needed(REDIS)) as proxy:
        policy = {"ttl": "500ms", "stale_while_revalidate": "1h"}
        shop = Shop(world, ["memory://", proxy.url], policy=policy)
        until(lambda: shop.call(1).tier == "memory")
        proxy.freeze()
        shop.slowest = 0.0
        until(lambda: shop.call(1).status == "stale")
        assert shop.slowest < SLOWEST
        proxy.calm()
        shop.end()


@shows("half-open or frozen connection")
def test_a_frozen_server_is_left_alone(world, server):
    shop = Shop(world, [server.url])
    shop.recovers()
    server.freeze()
    opens(shop)
    assert set(shop.errors) <= {"transient", "timeout"} and shop.errors["timeout"] > 0
    server.thaw()
    shop.recovers()
    shop.end()


@shows("half-open or frozen connection")
def test_a_half_open_connection_is_replaced(world):
    limit, took = 0.2, []
    with FaultProxy(needed(REDIS)) as proxy:
        shop = Shop(world, [f"{proxy.url}?timeout={limit}s&breaker=off&retry=off"])
        for _ in range(5):
            # What is open stays silent for good from now on: only another connection brings answers.
            shop.recovers()
            before, begun = proxy.accepted, time.monotonic()
            proxy.half_open(way="down")
            asking = threading.Thread(target=shop.fresh, args=(1,))
            asking.start()
            until(lambda: proxy.accepted > before)  # noqa: B023
            took.append(time.monotonic() - begun)
            proxy.calm()
            asking.join(PATIENCE)
        begun = time.monotonic()
        shop.recovers()
        assert time.monotonic() - begun < 2 * limit + SLOWEST
        # Two operations in a row without an answer take just that long, and then it is noticed.
        assert min(took) <= 2 * limit + 0.1, took
        assert set(shop.errors) <= {"transient", "timeout"} and shop.errors["timeout"] > 0
        shop.end()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_a_full_server_is_read_and_deleted_from(world, server):
    cache = Cache([f"{server.url}?timeout=5s"], namespace="full")
    double = cache(name="double", tags=["t"])(lambda x: 2 * x)
    assert double(1) == 2
    cache.set_many({"a": 1, "b": 2})
    assert server.say("config", "set", "maxmemory", "1") == "OK"
    assert double.call(1).status == "hit" and cache.get("a") == 1
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    assert cache.tiers()[0].errors == {}
    assert cache.delete("a") and cache.get("a") is None
    cache.set("c", 3)
    assert set(cache.tiers()[0].errors) == {"capacity"}
    assert server.say("config", "set", "maxmemory", "0") == "OK"
    cache.close()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
@pytest.mark.parametrize(
    ("begin", "end", "kind"),
    [
        (["config set maxmemory 1"], ["config set maxmemory 0"], "capacity"),
        (["replicaof 127.0.0.1 1"], ["replicaof no one"], "transient"),
        (["script flush", "script flush"], [], None),
    ],
    ids=["OOM", "READONLY", "NOSCRIPT"],
)
def test_what_a_server_refuses_is_counted_by_its_kind(world, server, begin, end, kind):
    shop = Shop(world, [f"{server.url}?timeout=5s"])
    shop.recovers()
    for command in begin:
        assert server.say(*command.split()) == "OK"
    shop.fresh(3)
    assert set(shop.errors) == ({kind} if kind else set())
    for command in end:
        assert server.say(*command.split()) == "OK"
    shop.recovers()
    shop.end()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_a_server_that_loads(world, tmp_path):
    server = OwnServer(tmp_path, "--enable-debug-command", "yes").start()
    server.say("debug", "populate", 3000)
    server.say("config", "set", "loading-process-events-interval-bytes", 1024)
    server.say("config", "set", "key-load-delay", 1000)
    shop = Shop(world, [f"{server.url}?timeout=5s"])
    shop.recovers()
    loading = threading.Thread(target=server.say, args=("debug", "reload"))
    loading.start()
    until(lambda: "LOADING" in server.say("get", "a"))
    shop.fresh(3)
    assert set(shop.errors) == {"transient"}
    server.say("config", "set", "key-load-delay", 0)
    loading.join(PATIENCE)
    shop.recovers()
    shop.end()
    server.kill()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_a_password_that_is_changed(world, server):
    server.say("acl", "setuser", "shop", "on", ">old", "~*", "&*", "+@all")
    shop = Shop(world, [server.url.replace("//", "//shop:old@") + "?timeout=5s"])
    shop.recovers()
    server.say("acl", "setuser", "shop", "resetpass", ">new")
    server.say("client", "kill", "user", "shop")
    shop.fresh(3)
    assert shop.errors.pop("authentication") > 0 and set(shop.errors) <= {"authentication", "transient"}
    server.say("acl", "setuser", "shop", "resetpass", ">old")
    shop.recovers()
    shop.end()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_a_certificate_that_nobody_trusts(world):
    shop = Shop(world, [f"{needed('EVERWARM_TEST_REDIS_TLS')}?breaker=off&timeout=5s"])
    shop.fresh(3)
    assert set(shop.errors) == {"authentication"}
    shop.end()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_another_master_takes_over(world, sentinel):
    def master():
        return sentinel.say(sentinel.ports[0], "sentinel", "get-master-addr-by-name", "everwarm")

    shop = Shop(world, [sentinel.url])
    shop.recovers()
    before = master()
    until(lambda: sentinel.say(sentinel.ports[0], "sentinel", "failover", "everwarm") == "OK")
    until(lambda: shop.fresh(1) and master() != before)
    assert set(shop.errors) <= {"transient", "timeout"}
    shop.recovers()
    shop.end()


@shows("failover, resharding, READONLY, LOADING, OOM, MOVED, ASK, NOSCRIPT, authentication or TLS failure")
def test_a_slot_that_moves_is_followed(world, cluster):
    shop = Shop(world, [f"{cluster.url}?timeout=5s"], name=f"moving-{world.name}")
    shop.recovers()
    shop.call(1)
    slot, old = of_entry(cluster, shop.double.key(1))
    move = Move(cluster, slot, old)
    move.begin()
    move.carry()
    shop.call(1)
    assert set(shop.errors) <= {"transient"}
    move.end()
    before = shop.errors
    shop.call(1)
    assert shop.call(1).status == "hit"
    assert shop.errors == before, "MOVED is no failure"
    assert of_entry(cluster, shop.double.key(1))[1] != old
    shop.end()


@shows("set fails (disk full, too large, read-only, not encodable)")
@pytest.mark.parametrize("why", ["too large", "not encodable"])
def test_what_cannot_be_stored_is_returned(world, caplog, why):
    class Odd(int):
        """No format knows what it adds."""

    def double(x):
        return Odd(2 * x) if why == "not encodable" else 2 * x

    name, most = f"{why} in {world.name}", "1KiB" if why == "too large" else "16MiB"
    shop = Shop(world, [f"{needed(REDIS)}?timeout=5s"], name=name, body=double, max_value=most)
    with caplog.at_level(logging.WARNING, "everwarm"):
        for x in range(3):
            shop.call(10**3000 + x)
    assert (shop.double.stats().refused, shop.tier.sets, shop.errors) == (3, 0, {})
    assert len(caplog.messages) == 1 and "\nhint: " in caplog.messages[0]
    shop.end()


@shows("set fails (disk full, too large, read-only, not encodable)")
def test_what_a_server_has_no_room_for_is_said_once(world, server, caplog):
    shop = Shop(world, [f"{server.url}?timeout=5s"])
    shop.recovers()
    server.say("config", "set", "maxmemory", 1)
    with caplog.at_level(logging.WARNING, "everwarm"):
        shop.fresh(3)
        until(lambda: caplog.messages)
        shop.fresh(3)
    (said,) = caplog.messages
    assert "OOM" in said and "\nhint: give the server more memory" in said
    shop.end()


STANDS_STILL = """
import fcntl, os, signal, sys
head = open(sys.argv[1])
fcntl.flock(head, fcntl.LOCK_EX)
print("held", flush=True)
os.kill(os.getpid(), signal.SIGSTOP)
"""


@shows("another process stands still in the midst of a write to `disk:`")
def test_a_process_that_stands_still_costs_the_others_one_wait(tmp_path):
    place = tmp_path / "store"
    with Cache([f"disk://{place}"], namespace="shop") as cache:
        double = cache(name="double")(lambda x: 2 * x)
        assert double(1) == 2
        command = [sys.executable, "-c", STANDS_STILL, str(place / "v1" / "head")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
            try:
                assert other.stdout.readline() == b"held\n"
                begun = time.monotonic()
                assert [double(x) for x in range(2, 42)] == list(range(4, 84, 2))
                # Each of them would wait three times.
                assert time.monotonic() - begun < 2
                assert double.call(1).status == "hit"
                assert cache.tiers()[0].errors["timeout"] >= 40
            finally:
                other.send_signal(signal.SIGCONT)
        assert double(2) == 4 and double.call(2).status == "hit"


@shows("corrupt, truncated, foreign, unknown-version, wrong-key entry")
@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda sound, _: sound[:-1] + bytes([sound[-1] ^ 1]), "damaged"),
        (lambda sound, _: sound[: len(sound) // 2], "damaged"),
        (lambda sound, _: b"hello", "foreign"),
        (lambda sound, _: sound[:3] + b"\xff" + sound[4:], "version"),
        (lambda _, other: other, "misplaced"),
    ],
    ids=["corrupt", "truncated", "foreign", "unknown-version", "wrong-key"],
)
def test_bytes_that_are_no_entry_are_a_miss(world, spoil, kind):
    url = emptied(needed(REDIS), "shop")
    shop, store = Shop(world, [url]), open_store(url)
    names = [shop.call(x) and shop.double.key(x) for x in (1, 2)]
    sound, other = (store.get(name)[0] for name in names)
    spoiled = spoil(sound, other)
    store.set(names[0], spoiled, 60)
    assert shop.double.peek(1) is None
    assert store.get(names[0])[0] == spoiled, "who reads leaves it to expire"
    assert shop.call(1).status == "miss"
    assert shop.errors == {} and set(shop.tier.refused) == {kind}
    assert shop.call(1).status == "hit"
    store.close()
    shop.end()


@shows("tampered entry under encryption")
@pytest.mark.parametrize("on_tamper", ["miss", "raise"])
def test_an_entry_that_was_tampered_with(world, on_tamper):
    url = emptied(needed(REDIS), "shop")
    shop = Shop(world, [url], keyring=Keyring(KEY), on_tamper=on_tamper)
    shop.call(1)
    store, name = open_store(url), shop.double.key(1)
    sound = store.get(name)[0]
    evidence = sound[:-1] + bytes([sound[-1] ^ 1])
    store.set(name, evidence, 60)
    if on_tamper == "miss":
        assert [shop.call(1).status for _ in range(2)] == ["miss", "hit"]
    else:
        with pytest.raises(StoreError, match="changed in its store") as raised:
            shop.call(1)
        assert raised.value.kind == "tampered" and store.get(name)[0] == evidence
    assert shop.errors == {} and set(shop.tier.refused) == {"tampered"}
    shop.cache.clear()
    store.close()
    shop.cache.close()


@shows("leader raises")
@pytest.mark.parametrize("remembered", [False, True])
def test_followers_of_a_leader_that_raises_get_its_error_once(world, remembered):
    gate, depths = Gate(), []

    def fails(x):
        yield gate
        raise LookupError(x)

    policy = {"negative_ttl": "1m", "negative_on": LookupError} if remembered else {}
    shop = Shop(world, "memory://" if remembered else [needed(REDIS)], body=fails, policy=policy)
    leader = world.start(shop.double, 1)
    gate.is_reached()
    followers = crowd(world, shop.double, 5, 1)
    gate.open()
    for call in (leader, *followers):
        error = call.exception(PATIENCE)
        assert type(error) is LookupError
        depths.append(len(traceback.extract_tb(error.__traceback__)))
    assert max(depths) < 20
    assert adds_up(shop.double, 6).computations == 1
    with pytest.raises(LookupError):
        world.call(shop.double, 1)
    assert shop.double.stats().computations == (1 if remembered else 2)
    shop.cache.close()


@shows("leader cancelled, killed, frozen")
def test_who_waits_for_a_leader_that_is_cancelled_computes():
    async def main():
        begun = asyncio.Event()

        async def double(x):
            if not begun.is_set():
                begun.set()
                await asyncio.sleep(PATIENCE)
            return 2 * x

        load = cache(name="double")(double)
        leader = asyncio.ensure_future(load(1))
        await begun.wait()
        follower = asyncio.ensure_future(load(1))
        await asyncio.sleep(0)
        leader.cancel()
        assert await asyncio.wait_for(follower, SLOWEST) == 2

    cache = Cache([emptied(needed(REDIS), "shop")], namespace="shop")
    asyncio.run(main())
    cache.close()


@shows("leader cancelled, killed, frozen")
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_who_waits_for_a_process_that_is_gone_computes(how):
    url, world = emptied(needed(REDIS), "shop"), Threads()
    shop = Shop(world, [url], name="slow", policy={"depends_on": "nothing"})
    with Holder(url, "slow", 1) as holder:
        began = getattr(holder, how)()
        assert shop.call(1).status == "miss"
        assert time.monotonic() - began < TAKEOVER
        if how == "frozen":
            stored, store = holder.goes_on()
            assert stored == 0, f"a late value was stored: {store}"
        assert shop.call(1).status == "hit"
    assert shop.double.stats().computations == 1
    shop.end()


@shows("lease store down")
def test_without_leases_a_process_still_computes_once(world):
    gate, running, most = Gate(), [], []

    def double(x):
        running.append(x)
        most.append(len(running))
        yield gate
        running.remove(x)
        return 2 * x

    shop = Shop(world, [NOWHERE], body=double, max_computations=2)
    calls = [world.start(shop.double, x) for x in (1, 2, 3) for _ in range(4)]
    until(lambda: len(running) == 2 and shop.double.stats().misses == 12)
    gate.open()
    assert [call.result(PATIENCE) for call in calls] == [2] * 4 + [4] * 4 + [6] * 4
    assert max(most) <= 2 and adds_up(shop.double, 12).computations == 3
    shop.cache.close()


def crowded(world, stores, **shop):
    """A shop whose computations go on until a gate is opened; which run, and how many of them did at once."""
    crowd = SimpleNamespace(gate=Gate(), running=[], most=0)

    def double(x):
        crowd.running.append(x)
        crowd.most = max(crowd.most, len(crowd.running))
        yield crowd.gate
        crowd.running.remove(x)
        return 2 * x

    return crowd, Shop(world, stores, body=double, **shop)


@shows("lease store down")
def test_without_leases_a_source_is_asked_for_no_more_than_some_at_once(world):
    (crowd, shop), asked = crowded(world, [NOWHERE]), range(80)
    bound = shop.cache.describe()["max_without_lease"].value
    assert bound == 64
    calls = [world.start(shop.double, x) for x in asked]
    until(lambda: len(crowd.running) == bound and shop.double.stats().misses == len(asked))
    crowd.gate.open()
    assert [call.result(PATIENCE) for call in calls] == [2 * x for x in asked]
    assert crowd.most == bound and adds_up(shop.double, len(asked)).computations == len(asked)
    shop.cache.close()


@shows("lease store down")
def test_who_waits_too_long_for_want_of_a_lease_computes(world):
    (crowd, shop), asked = crowded(world, [NOWHERE], policy={"wait_timeout": "300ms"}), range(66)
    calls = [world.start(shop.double, x) for x in asked]
    until(lambda: len(crowd.running) == len(asked))
    crowd.gate.open()
    assert [call.result(PATIENCE) for call in calls] == [2 * x for x in asked]
    shop.cache.close()


@shows("lease store down")
@pytest.mark.parametrize("stores", [["memory://"], None], ids=["memory", "leases"])
def test_with_leases_or_without_stores_nothing_waits(world, stores):
    asked = range(80)
    crowd, shop = crowded(world, stores or [emptied(needed(REDIS), "shop")])
    calls = [world.start(shop.double, x) for x in asked]
    until(lambda: len(crowd.running) == len(asked))
    crowd.gate.open()
    assert [call.result(PATIENCE) for call in calls] == [2 * x for x in asked]
    shop.cache.close()


@shows("waiting too long")
def test_who_has_waited_too_long_computes(world):
    url = emptied(needed(REDIS), "shop")
    policy = {"depends_on": "nothing", "wait_timeout": "300ms"}
    shop = Shop(world, [url], name="slow", policy=policy)
    with Holder(url, "slow", 1) as holder:
        assert shop.call(1).status == "miss"
        assert 0.3 <= shop.slowest < 0.3 + SLOWEST
        stored, store = holder.goes_on()
        assert stored == 1, f"who has not waited has stored: {store}"
    shop.end()


@shows("bus down or gap")
def test_memory_that_cannot_hear_lets_go(world):
    url = emptied(needed(REDIS), "shop")
    there = Cache(url, namespace="shop")
    with FaultProxy(needed(REDIS)) as proxy:
        shop = Shop(world, ["memory://", proxy.url])
        # It lets go of everything once, when it hears the first time.
        until(lambda: shop.call(1).age > 1)
        assert shop.call(1).tier == "memory"
        proxy.freeze()
        begun = time.monotonic()
        there(name="double")(shop.double.uncached).invalidate(1)
        until(lambda: shop.call(1).status == "miss")
        assert time.monotonic() - begun < 2 + SLACK
        proxy.calm()
        shop.end()
    there.close()


class Opaque:
    """Says nothing of its content."""

    __slots__ = ()


@shows("key cannot be built")
def test_a_key_that_cannot_be_built(world):
    shop = Shop(world, [needed(REDIS)])
    with pytest.raises(TypeError, match="\nhint: ") as raised:
        world.call(shop.double, Opaque())
    assert isinstance(raised.value, KeyRefused)
    shop.end()


@shows("tenant missing")
def test_a_tenant_that_is_missing(world):
    tenant = ContextVar("tenant")
    shop = Shop(world, [needed(REDIS)], tenant=tenant)
    assert [shop.call(1).status for _ in range(2)] == ["bypass"] * 2
    assert adds_up(shop.double, 2).bypass == 2
    strict = Shop(world, [needed(REDIS)], tenant=tenant, strict=True)
    with pytest.raises(TenantMissing):
        strict.call(1)
    shop.end()
    strict.cache.close()


@shows("bad configuration")
@pytest.mark.parametrize(
    "build",
    [
        lambda: Cache("redis://127.0.0.1/0?timeout=soon"),
        lambda: Cache("redis://127.0.0.1/0?tiemout=1s"),
        lambda: Cache("redis+sentinel://127.0.0.1"),
        lambda: Cache(needed(REDIS))(ttl="5 minutes"),
    ],
    ids=["value", "option", "URL", "policy"],
)
def test_what_cannot_be_meant_is_refused_at_once(build):
    with pytest.raises((ConfigError, UnknownOption), match="\nhint: "):
        build()


@shows("memory budget reached")
def test_memory_keeps_to_its_budget():
    budget, most = 1 << 20, []
    cache = Cache(["memory://", needed(REDIS)], namespace="shop", max_bytes=budget)
    load = cache(name="load", ttl="1m")(lambda x: bytes([x % 256]) * 10_000)

    def fill(first):
        for x in range(first, first + 150):
            assert load(x) == bytes([x % 256]) * 10_000
            most.append(cache.stats().bytes)

    calls = [Threads().run(lambda first=first: fill(first)) for first in (0, 1000, 2000)]
    for call in calls:
        call.result(PATIENCE)
    assert budget / 2 < max(most) <= 1.1 * budget and cache.stats().evicted > 0
    cache.clear()
    cache.close()


@shows("clock jumps, suspend")
def test_a_wall_clock_that_jumps_by_decades(tmp_path):
    url, environment = emptied(needed(REDIS), "shop"), wall_clock.movable(tmp_path)
    with Process(wall_clock.SCRIPT, url, tmp_path, environment=environment) as process:
        assert process.end() == (0, "")


@shows("clock jumps, suspend")
def test_what_was_suspended_for_days(world, clock):
    shop = Shop(world, "memory://", policy={"ttl": "1h"}, clock=clock)
    shop.call(1)
    clock.advance("10d")
    assert [shop.call(1).status for _ in range(2)] == ["miss", "hit"]
    shop.end()


@shows("fork, gunicorn --preload, celery prefork, multiprocessing")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_process_that_is_connected():
    script = """
    import asyncio, os, signal, sys
    from everwarm import Cache

    shop = Cache([sys.argv[1]], namespace="shop")

    @shop(name="triple")
    def triple(x: int) -> int:
        return 3 * x

    assert triple(1) == 3
    children = []
    for x in range(4):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            good = triple(x) == 3 * x and triple.call(1).status == "hit"
            os._exit(0 if good else 1)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    assert triple.call(3).status == "hit" and shop.tiers()[-1].errors == {}
    """
    with Process(script, emptied(needed(REDIS), "shop")) as parent:
        assert parent.end() == (0, "")


@shows("SIGINT in a blocking call")
def test_an_interrupt_while_a_server_is_silent(server):
    shop = Shop(Threads(), [f"{server.url}?timeout=20s&breaker=off"])
    shop.recovers()
    server.freeze()
    sent = []

    def interrupt():
        until(lambda: shop.double.stats().followers == 2)
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    def follow():
        until(lambda: shop.double.stats().misses > before)
        return shop.double(-1)

    before = shop.double.stats().misses
    followers = [Threads().run(follow) for _ in range(2)]
    Threads().run(interrupt)
    with pytest.raises(KeyboardInterrupt):
        shop.double(-1)
    assert time.monotonic() - sent[0] < 0.1 + SLOWEST
    server.thaw()
    assert [follower.result(PATIENCE) for follower in followers] == [-2] * 2
    adds_up(shop.double, shop.calls + 3)
    shop.cache.close()


@shows("interpreter exit with work in flight")
def test_an_exit_while_a_server_is_silent(server):
    source = """
    import asyncio, sys, threading
    from everwarm import Cache

    shop = Cache(["memory://", sys.argv[1]], namespace="shop")

    @shop(name="double")
    async def double(x: int) -> int:
        return 2 * x

    @shop(name="triple")
    def triple(x: int) -> int:
        return 3 * x

    async def busy():
        while True:
            await asyncio.gather(*map(double, range(50)))

    assert triple(1) == 3
    for work in (lambda: asyncio.run(busy()), lambda: [triple(x) for x in range(10**9)]):
        threading.Thread(target=work, daemon=True).start()
    print("begun", flush=True)
    sys.stdin.readline()
    print("leaving", flush=True)
    sys.exit(7)
    """
    with Process(source, f"{server.url}?timeout=30s&breaker=off") as process:
        assert process.hears() == "begun"
        server.freeze()
        process.tell("go")
        assert process.hears() == "leaving"
        begun = time.monotonic()
        assert process.end() == (7, "")
        assert time.monotonic() - begun < 2 + SLOWEST

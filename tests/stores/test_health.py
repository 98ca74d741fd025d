"""Health: what each tier is told to be, what that means, and how long it may take to find out."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import re
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
from everwarm import Cache, ConfigError, Keyring, StoreError, Tier
from own_store import OwnStore
from servers import OwnServer, needed
from worlds import until

pytestmark = pytest.mark.timeout(60)

# The bound on all tiers together, and what a loaded machine adds.
BOUND = 1.0 + 1.0


@pytest.fixture(params=["sync", "async"])
def ask(request):
    """Asks a cache's verb of this name, in both worlds."""

    def asked(cache, verb, *args, **keywords):
        if request.param == "sync":
            return getattr(cache, verb)(*args, **keywords)

        async def awaited():
            return await getattr(cache, "a" + verb)(*args, **keywords)

        return asyncio.run(awaited())

    return asked


class Ailing(OwnStore):
    """A store of its user's, with faults to order."""

    def __init__(self, clock=None):
        super().__init__()
        self.clock, self.slow, self.error = clock, 0, None

    def _ask(self):
        super()._ask()
        if self.slow:
            self.clock.advance(self.slow)
        if self.error is not None:
            raise self.error

    def ping(self):
        self._ask()


def test_memory_tells_its_bounds(ask):
    cache = Cache(max_entries=100, max_bytes="1MB")
    cache.set("a", "b")
    health = ask(cache, "health")
    assert (bool(health), health.state, health.level) == (True, "ok", "basic")
    (memory,) = health.tiers
    assert memory.facts["entries"] == 1 and memory.facts["max_entries"] == 100
    assert 0 < memory.facts["used_bytes"] < memory.facts["max_bytes"] == 1_000_000
    assert (memory.name, memory.state, memory.hint, memory.warnings) == ("memory", "ok", None, ())
    (unweighed,) = ask(Cache(), "health").tiers
    assert "used_bytes" not in unweighed.facts and "max_bytes" not in unweighed.facts


def test_a_closed_cache_is_down_and_its_health_can_be_asked(ask):
    cache = Cache()
    assert ask(cache, "health")
    cache.close()
    health = ask(cache, "health")
    assert (bool(health), health.state, health.tiers[0].last_error) == (False, "down", "closed")
    assert ask(cache, "ping") is False


@pytest.mark.parametrize("level", ["fill", "", "PING"])
def test_a_level_that_does_not_exist_is_refused(ask, level):
    with pytest.raises(ConfigError, match="no level of health") as raised:
        ask(Cache(), "health", level)
    assert "\nhint: " in str(raised.value)


def test_what_is_told_can_be_kept_and_sent(tmp_path):
    with Cache(f"disk://{tmp_path}/store") as cache:
        health = cache.health("full")
    assert json.loads(json.dumps(health.to_dict())) == health.to_dict()
    assert pickle.loads(pickle.dumps(health)) == health
    assert [tier["name"] for tier in health.to_dict()["tiers"]] == ["memory", "disk"]
    assert repr(health) == "<Health ok: memory ok, disk ok>"
    assert str(health).splitlines()[0] == "memory: ok; it answers"
    with pytest.raises(AttributeError):
        health.state = "down"


def test_it_is_asked_anew_after_five_seconds(ask, clock):
    store = Ailing()
    cache = Cache(["memory://", store], clock=clock)
    for _ in range(3):
        assert ask(cache, "health", "ping")
    assert store.asked == 1
    clock.advance(4.9)
    store.error = ConnectionError()
    assert ask(cache, "health", "ping")
    clock.advance(0.2)
    assert not ask(cache, "health", "ping")
    assert store.asked == 2
    # Another level is another question, and `ping` asks each time.
    ask(cache, "health", "basic")
    ask(cache, "ping")
    ask(cache, "ping")
    assert store.asked == 5


def test_it_is_kept_whatever_is_configured(clock, monkeypatch):
    monkeypatch.setenv("EVERWARM_KEY", os.urandom(32).hex())
    monkeypatch.setenv("EVERWARM_MAX_BYTES", "1kB")
    store = Ailing()
    cache = Cache(["memory://", store], clock=clock)
    for _ in range(3):
        assert cache.health("ping")
    assert store.asked == 1


def test_many_who_ask_at_once_ask_once(clock):
    store = Ailing()
    cache = Cache(["memory://", store], clock=clock)
    told = []
    threads = [threading.Thread(target=lambda: told.append(cache.health("ping"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and store.asked == 1


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ConnectionError("gone"), "transient"),
        (TimeoutError("late"), "timeout"),
        (PermissionError("who?"), "authentication"),
    ],
)
def test_a_store_that_fails_is_down_by_its_kind(ask, clock, error, kind):
    store = Ailing()
    cache = Cache(["memory://", store], clock=clock)
    store.error = error
    health = ask(cache, "health")
    assert health.state == "degraded", "memory goes on"
    memory, tier = health.tiers
    assert memory and not tier
    assert (tier.state, tier.last_error, tier.last_error_age, tier.latency) == ("down", kind, 0.0, None)
    assert "calls compute" in tier.means and tier.hint
    assert ask(cache, "ping") is False
    store.error = None
    clock.advance(6)
    health = ask(cache, "health")
    assert health and ask(cache, "ping") is True
    assert (health.tiers[1].last_error, health.tiers[1].last_error_age) == (kind, 6.0)
    assert Cache([store]).health()
    store.error = error
    assert Cache([store]).health().state == "down", "no tier does anything"


# The kinds of failure that there are, as the page on resilience has them.
_PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "resilience.md"
KINDS = re.findall(r"^\| `(\w+)` \|", _PAGE.read_text().partition("| kind |")[2], re.MULTILINE)


def test_the_page_has_all_kinds():
    source = Path(__file__).resolve().parents[2] / "crates" / "everwarm-core" / "src" / "store" / "failure.rs"
    if source.exists():
        assert sorted(KINDS) == sorted(re.findall(r'=> "(\w+)"', source.read_text()))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_counted_and_told_by_its_name(clock, kind):
    store = Ailing()
    cache = Cache([store], clock=clock)
    store.error = StoreError("it is said", kind=kind)
    assert cache.get("a") is None
    assert cache.tiers()[0].errors == {kind: 1}
    (tier,) = cache.health().tiers
    assert (tier.state, tier.last_error) == ("down", kind)
    assert cache.tiers()[0].errors == {kind: 2}, "that it failed to answer is counted, once"


def test_an_open_breaker_is_degraded_and_is_left_as_it_is(clock):
    store = Ailing()
    cache = Cache(["memory://", Tier(store, breaker=True)], clock=clock)
    store.error = ConnectionError("gone")
    for number in range(20):
        cache.get(str(number))
    assert cache.tiers()[0].breaker == "open"
    assert cache.health("ping").tiers[1].state == "down"
    store.error = None
    clock.advance(6 * 0.1)
    health = cache.health("basic")
    tier = health.tiers[1]
    assert (health.state, tier.state, tier.breaker) == ("degraded", "degraded", "open")
    assert tier.latency is not None and tier.hint and "left alone" in tier.means
    assert cache.tiers()[0].breaker == "open", "to look is no trial"


def test_a_failing_ping_trips_no_breaker(clock):
    store = Ailing()
    cache = Cache(["memory://", Tier(store, breaker=True)], clock=clock)
    store.error = ConnectionError("gone")
    for _ in range(20):
        assert not cache.ping()
    assert cache.tiers()[0].breaker == "closed"


def test_a_slow_store_is_degraded(clock):
    store = Ailing(clock)
    cache = Cache(["memory://", store], clock=clock)
    store.slow = 0.024
    assert cache.health("ping")
    store.slow = 0.025
    tier = cache.health("basic").tiers[1]
    assert (tier.state, tier.latency) == ("degraded", pytest.approx(0.025))
    assert "25 ms" in tier.means


def test_what_could_not_be_opened_is_told(ask, tmp_path):
    file = tmp_path / "file"
    file.write_text("no directory")
    cache = Cache(["memory://", f"disk://{file}"])
    health = ask(cache, "health", "full")
    assert [(tier.name, tier.state) for tier in health.tiers] == [("memory", "ok"), ("disk", "down")]
    assert "could not be opened" in health.tiers[1].means and health.tiers[1].hint


def test_an_invalidation_that_is_owed_is_told(clock):
    class Forgetful(Ailing):
        def delete(self, name):
            raise ConnectionError("gone")

    cache = Cache(["memory://", Forgetful()], clock=clock)
    cache.set("a", 1)
    assert cache.health("ping")
    cache.delete("a")
    tier = cache.health("basic").tiers[1]
    assert tier.state == "degraded" and "could not be done" in tier.means
    assert [advice.about for advice in tier.warnings] == ["owed"]


def test_sealed_memory_is_a_tier(tmp_path):
    cache = Cache(f"disk://{tmp_path}/store", keyring=Keyring(os.urandom(32)))
    health = cache.health("full")
    assert health and [tier.name for tier in health.tiers] == ["memory", "disk"]


@pytest.mark.parametrize("scheme", ["disk", "file"])
@pytest.mark.proves("health.level")
def test_a_directory_tells_its_room_and_who_may_look_into_it(ask, tmp_path, scheme):
    place = tmp_path / "store"
    with Cache(f"{scheme}://{place}?max_bytes=64MiB&max_entries=500&durability=power") as cache:
        cache.set("a", "b")
        assert ask(cache, "health", "ping").tiers[1].facts == {"place": str(place)}
        tier = ask(cache, "health").tiers[1]
        facts = tier.facts
        assert (facts["entries"], facts["max_entries"], facts["durability"]) == (1, 500, "power")
        assert 0 < facts["used_bytes"] < facts["max_bytes"] == 64 << 20
        assert abs(facts["free_bytes"] - shutil.disk_usage(place).free) < 1 << 30
        looked_into = place / "v1" if scheme == "disk" else place
        looked_into.chmod(0o755)
        assert not ask(cache, "health").tiers[1].warnings
        tier = ask(cache, "health", "full").tiers[1]
        assert [advice.about for advice in tier.warnings] == ["mode"]
        assert tier and "chmod 700" in tier.warnings[0].hint


def test_a_file_system_that_is_smaller_than_the_bound_is_told(tmp_path):
    free = shutil.disk_usage(tmp_path).free
    with Cache(f"disk://{tmp_path}/store?max_bytes={4 * free}") as cache:
        tier = cache.health("full").tiers[1]
        assert tier and [advice.about for advice in tier.warnings] == ["space"]


@pytest.fixture
def server(tmp_path):
    made = OwnServer(tmp_path).start()
    yield made
    made.thaw()
    made.kill()


def patient(server):
    """Its URL, with the patience that a loaded machine needs."""
    return f"{server.url}?timeout=5s"


def configure(server, name, value):
    assert server.say("CONFIG", "SET", name, value) == "OK"


def abouts(cache, clock):
    """What a closer look warns of, some time later."""
    clock.advance(6)
    return [advice.about for advice in cache.health("full").tiers[0].warnings]


def test_each_setting_that_differs_is_told_until_it_is_set(server, clock):
    with Cache([patient(server)], namespace="health", clock=clock) as cache:
        assert cache.ping()
        assert abouts(cache, clock) == ["maxmemory", "eviction", "replicas"]
        configure(server, "maxmemory", "1gb")
        assert abouts(cache, clock) == ["eviction", "replicas"]
        for policy, told in [
            ("allkeys-lfu", []),
            ("volatile-ttl", ["eviction"]),
            ("allkeys-random", ["eviction"]),
            ("volatile-lru", []),
        ]:
            configure(server, "maxmemory-policy", policy)
            assert abouts(cache, clock) == [*told, "replicas"], policy
        configure(server, "save", "3600 1")
        assert abouts(cache, clock) == ["replicas", "persistence"]
        configure(server, "appendonly", "yes")
        assert abouts(cache, clock) == ["replicas"]
        assert cache.health("full"), "settings leave the state as it is"
        facts = cache.health("full").tiers[0].facts
        assert facts["max_bytes"] == 1 << 30 and facts["eviction"] == "volatile-lru"
        assert facts["version"].startswith(("redis ", "valkey ")) and facts["servers"] == 1


def test_a_server_that_is_full_is_degraded(server, clock):
    with Cache([patient(server)], namespace="health", clock=clock) as cache:
        cache.set("a", "b")
        configure(server, "maxmemory", "1mb")
        clock.advance(6)
        tier = cache.health().tiers[0]
        assert tier.state == "degraded" and "nothing more is stored" in tier.means
        assert [advice.about for advice in tier.warnings] == ["memory"]
        # What it takes for itself is more than that: there is nothing to let go of.
        configure(server, "maxmemory-policy", "allkeys-lfu")
        clock.advance(6)
        assert [advice.about for advice in cache.health().tiers[0].warnings] == ["writes"]
        configure(server, "maxmemory", "100mb")
        clock.advance(6)
        assert cache.health()


def test_a_replica_is_degraded(server, clock):
    assert server.say("REPLICAOF", "127.0.0.1", "1") == "OK"
    configure(server, "replica-serve-stale-data", "yes")
    with Cache([patient(server)], namespace="health", clock=clock) as cache:
        tier = cache.health().tiers[0]
        assert tier.state == "degraded" and "takes no writes" in tier.means


def test_who_may_not_ask_for_settings_is_told(server, clock):
    rights = "+@read +@write +@scripting +@connection +@pubsub +info +role +time".split()
    assert (
        server.say("ACL", "SETUSER", "shop", "on", ">secret", "~ew{*", "resetchannels", "&ew*", *rights)
        == "OK"
    )
    url = patient(server).replace("redis://", "redis://shop:secret@")
    with Cache([url], namespace="health", clock=clock) as cache:
        cache.set("a", 1)
        assert cache.get("a") == 1
        assert abouts(cache, clock) == ["maxmemory", "eviction", "replicas", "config"]
        assert server.say("ACL", "SETUSER", "shop", "+config|get") == "OK"
        assert abouts(cache, clock) == ["maxmemory", "eviction", "replicas"]
        assert server.say("ACL", "SETUSER", "shop", "-info") == "OK"
        assert abouts(cache, clock) == ["info"]
        assert "secret" not in str(cache.health("full")) + str(cache.health("full").to_dict())


def test_who_may_not_write_or_run_scripts_is_told(server, clock):
    rights = "+@read +@scripting +@connection +@pubsub +info +role +time".split()
    assert (
        server.say("ACL", "SETUSER", "shop", "on", ">secret", "~ew{*", "resetchannels", "&ew*", *rights)
        == "OK"
    )
    url = patient(server).replace("redis://", "redis://shop:secret@")

    def told(cache):
        clock.advance(6)
        tier = cache.health().tiers[0]
        assert server.say("KEYS", "*") == "", "nothing is left of what was tried"
        return tier.state, [(advice.about, advice.message.split(": ")[-1]) for advice in tier.warnings]

    with Cache([url], namespace="health", clock=clock) as cache:
        assert told(cache) == ("degraded", [("access", "SET is refused")])
        assert "`+@write`" in cache.health().tiers[0].hint
        for changed, refused in [
            ("+@write", None),
            ("-@scripting", "EVAL is refused"),
            ("+@scripting", None),
            ("-setrange", "SETRANGE is refused"),
            ("+setrange", None),
            ("resetchannels", "PUBLISH is refused"),
            ("&ew*", None),
            ("resetkeys", "EVAL is refused"),
            ("~ew{*", None),
        ]:
            assert server.say("ACL", "SETUSER", "shop", changed) == "OK"
            state, refusals = told(cache)
            assert refusals == ([("access", refused)] if refused else []), changed
            assert state == ("degraded" if refused else "ok")


def test_a_user_of_one_namespace_is_asked_for_no_more(server, clock):
    rights = "+@read +@write +@scripting +@connection +@pubsub +info +role +time".split()
    assert (
        server.say(
            "ACL", "SETUSER", "shop", "on", ">secret", "~ew{health.*", "resetchannels", "&ew0:health", *rights
        )
        == "OK"
    )
    url = patient(server).replace("redis://", "redis://shop:secret@")
    with Cache([url], namespace="health", clock=clock) as cache:
        cache.set("a", 1)
        assert cache.get("a") == 1
        # It listens from its first use on.
        until(lambda: server.say("PUBSUB", "CHANNELS") == "ew0:health")
        clock.advance(6)
        health = cache.health()
        assert health, str(health)


def test_a_frozen_server_is_told_within_the_bound(ask, server, clock):
    with Cache(["memory://", patient(server), patient(server)], namespace="health", clock=clock) as cache:
        assert ask(cache, "ping")
        server.freeze()
        for verb, args in [("health", ("full",)), ("ping", ())]:
            begun = time.monotonic()
            found = ask(cache, verb, *args)
            assert time.monotonic() - begun < BOUND, verb
            assert not found
        health = ask(cache, "health", "full")
        assert [tier.state for tier in health.tiers] == ["ok", "down", "down"]
        assert health.tiers[1].last_error == "timeout" and health.tiers[1].hint
        server.thaw()
        clock.advance(6)
        deadline = time.monotonic() + 20
        while not ask(cache, "ping"):
            assert time.monotonic() < deadline
        clock.advance(6)
        assert ask(cache, "health", "basic")


def test_a_server_that_is_gone_is_told_and_found_again(ask, tmp_path):
    cache = Cache(["memory://", f"redis+unix://{tmp_path}/nobody.sock"])
    health = ask(cache, "health", "full")
    assert [tier.state for tier in health.tiers] == ["ok", "down"]
    assert health.tiers[1].last_error == "transient"
    assert ask(cache, "ping") is False


def test_a_cluster_tells_of_all_its_servers(ask):
    with Cache([f"{needed('EVERWARM_TEST_REDIS_CLUSTER')}?timeout=5s"], namespace="health") as cache:
        (tier,) = ask(cache, "health", "full").tiers
        assert tier.name == "redis+cluster" and tier
        assert tier.facts["servers"] == 3 and tier.facts["replicas"] == 3
        told = {advice.about: advice.message for advice in tier.warnings}
        assert set(told) == {"maxmemory", "eviction"}
        assert told["maxmemory"].count(":") >= 3, "one sentence for all"


def test_sentinels_lead_to_the_master(ask):
    def told():
        with Cache([f"{needed('EVERWARM_TEST_REDIS_SENTINEL')}?timeout=5s"], namespace="health") as cache:
            (tier,) = ask(cache, "health", "full").tiers
            return tier and tier.facts["replicas"]

    # After a test that had the master fail it may not have both of them yet.
    until(lambda: told() == 2)


class Proxy(threading.Thread):
    """Stands between a cache and servers: what is said of runs it changes, as it is told."""

    def __init__(self, ports, change):
        super().__init__(daemon=True)
        self.ports, self.change = ports, change
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.socket.getsockname()[1]}?timeout=5s"
        self.number = 0

    def run(self):
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            upstream = socket.create_connection(("127.0.0.1", self.ports[self.number % len(self.ports)]))
            self.number += 1
            for one, other, change in [(line, upstream, bytes), (upstream, line, self.change)]:
                threading.Thread(target=_pass, args=(one, other, change), daemon=True).start()


def _pass(one, other, change):
    try:
        while data := one.recv(1 << 16):
            other.sendall(change(data))
    except OSError:
        pass
    for each in (one, other):
        each.close()


def _hidden(data):
    # As long as before: lengths are told in front of texts.
    return data.replace(b"\nrun_id:", b"\nrun_xx:")


def test_a_proxy_that_hides_which_server_answers_is_told(server, clock):
    hides = Proxy([server.port], _hidden)
    hides.start()
    with Cache([hides.url], namespace="health", clock=clock) as cache:
        assert cache.ping()
        assert "identity" in abouts(cache, clock)
        (told,) = [a for a in cache.health("full").tiers[0].warnings if a.about == "identity"]
        assert "failovers cannot be seen" in told.message
    hides.socket.close()


def test_a_proxy_to_several_servers_is_told(server, tmp_path, clock):
    other = OwnServer(tmp_path).start()
    try:
        spreads = Proxy([server.port, other.port], bytes)
        spreads.start()
        with Cache([spreads.url], namespace="health", clock=clock) as cache:
            assert cache.ping()
            # Each look makes a connection, and every other one ends at the other server.
            told = {about for _ in range(2) for about in abouts(cache, clock)}
            assert "identity" in told
        spreads.socket.close()
    finally:
        other.kill()

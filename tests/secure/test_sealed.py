"""With a keyring nothing of what is cached can be read, guessed, exchanged or replaced where it lies."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

import pytest
from everwarm import Cache, Keyring, Policy, StoreError
from everwarm.testing import assert_computed
from kit import KEY, OTHER, SUITE, entries, only, written
from worlds import until

pytestmark = pytest.mark.once

TENANT: ContextVar[str] = ContextVar("tenant")
CANARY = "canary"


class Odd:
    """Of a class that cannot be stored."""


def sing(cache):
    """Has a cache write a canary everywhere that one can be, and read it; and has it fail wherever it can."""

    @cache(name=f"{CANARY}_function", tags=[CANARY + "-tag:{song}"], version=CANARY)
    def load(song: str) -> dict[str, str]:
        return {CANARY: song}

    @cache(name=f"{CANARY}_refused")
    def refused(song: str) -> object:
        return {CANARY: Odd()}

    @cache(name=f"{CANARY}_failing", tags_from_result=lambda result: 1 / 0 if result else {}[result])
    def failing(song: str) -> str:
        return song

    @cache(name=f"{CANARY}_keyless", tags=lambda song: {}[song])
    def keyless(song: str) -> str:
        return song

    token = TENANT.set(CANARY + "-tenant")
    try:
        for function in (load, refused, failing, keyless):
            assert function(CANARY) and function(CANARY)
        assert load.stats().hits == 1
        cache.set(CANARY, CANARY, tags=[CANARY], ttl=60)
        cache.set((CANARY, CANARY.encode()), [CANARY])
        cache.incr(CANARY + "-count")
        cache.add_tags(CANARY, CANARY + "-more")
        assert list(cache.scan(CANARY)) and cache.get(CANARY) == CANARY
        cache.invalidate_tags(CANARY + "-none")
        cache.set(CANARY + "-gone", CANARY)
        cache.delete(CANARY + "-gone")
        load.refresh(CANARY)
        load.clear()
        load(CANARY)
    finally:
        TENANT.reset(token)


@pytest.mark.proves("Cache.keyring")
@pytest.mark.parametrize("tenant", [None, TENANT])
def test_a_canary_is_nowhere_to_be_seen(url, place, log, tenant, ran):
    with Cache(url, namespace=f"{CANARY}-space", tenant=tenant, keyring=Keyring(KEY)) as cache:
        sing(cache)
        seen = written(place) + log.text.encode()
        assert len(written(place)) > 1_000 and "hint:" in log.text
        for form in (CANARY.encode(), CANARY.upper().encode(), CANARY.encode().hex().encode()):
            assert form not in seen
        assert CANARY.encode() not in json.dumps(log.text).encode()
    ran("Z", f"no canary in the files of {url.partition(':')[0]}: and in the log")


def test_without_a_keyring_the_canary_is_seen(url, place):
    with Cache(url, namespace=f"{CANARY}-space") as cache:
        cache.set(CANARY, CANARY)
        assert CANARY.encode() in written(place), "the test sees what is there"


def test_memory_holds_what_is_sealed_and_no_values():
    class Held:
        pass

    held = Held()
    open_cache, sealed = Cache(), Cache(keyring=Keyring(KEY))
    for cache in (open_cache, sealed):
        cache.set("k", [CANARY])
        cache.set("odd", held)
    assert open_cache.get("k") is open_cache.get("k") and sealed.get("k") is not sealed.get("k")
    assert sealed.get("k") == [CANARY] and sealed.get_with_meta("k").tier == "memory"
    assert open_cache.get("odd") is held and sealed.get("odd") is None
    open_cache.clear()
    assert not any(isinstance(found, Cache) for found in gc.get_referrers(held))


def test_a_function_that_no_store_can_know_is_not_kept_at_all():
    def make():
        def local(x: int) -> list[int]:
            return [x]

        return Cache(keyring=Keyring(KEY))(local)

    local = make()
    assert local(1) == [1] and local(1) == [1]
    assert local.stats().computations == 2 and local.stats().entries == 0


def test_a_key_that_no_store_can_know_is_not_kept_at_all():
    @dataclass(frozen=True)
    class Local:
        number: int

    key = Local(1)
    with Cache(keyring=Keyring(KEY)) as cache:
        cache.set(key, CANARY)
        cache.set_many({key: CANARY})
        assert not cache.add(key, CANARY) and cache.incr(Local(2)) == 1
        assert cache.get_or_compute(key, lambda: CANARY) == CANARY
        assert cache.get(key) is None and cache.stats().entries == 0 and cache.stats().refused >= 4

        @cache
        def local(x: int) -> str:
            return CANARY

        local.prime(CANARY, 1)
        assert local.peek(1) is None


def test_memory_in_front_is_bounded(place):
    with Cache(max_entries=10, keyring=Keyring(KEY)) as cache:
        for number in range(100):
            cache.set(number, number)
        assert 1 <= sum(cache.get(number) == number for number in range(100)) <= 10


def tagged(cache, number):
    cache.set(number, number, tags=[f"t:{number % 2}"])


def test_verbs_are_as_ever(url):
    with Cache(url, keyring=Keyring(KEY), namespace="shop") as cache:
        for number in range(6):
            tagged(cache, number)
        cache.invalidate_tags("t:1")
        assert cache.get_many(range(6)) in ({0: 0, 2: 2, 4: 4}, {})  # `file:` clears all
        cache.set("k", 1, tags=["a", "b"])
        found = cache.get_with_meta("k")
        assert sorted(found.tags) == ["a", "b"] and found.value == 1
        assert cache.compare_and_set("k", found.version, 2) and cache.get("k") == 2
        assert not cache.add("k", 3) and cache.replace("k", 4) and cache.get("k") == 4
        assert cache.expire("k", 60) and 59 < cache.ttl("k") <= 60
        cache.clear()
        assert cache.get("k") is None and list(cache.scan()) == []


def test_two_processes_with_the_key_share_entries(url):
    with Cache(url, keyring=Keyring(KEY)) as one, Cache(url, keyring=Keyring(KEY)) as other:

        def compute(x: int) -> int:
            return x

        load, again = (cache(name="load", tags=["t"])(compute) for cache in (one, other))
        with assert_computed(again, 0):
            assert load(1) == again(1) == 1
        if "disk" in url:  # of a `file:` store's invalidations no other memory hears
            one.invalidate_tags("t")
            until(lambda: again.peek(1) is None)


def places(keyring, directory):
    """Caches that differ in one thing from the first, by what it is."""
    for name, options in {
        "same": {},
        "namespace": {"namespace": "other"},
        "tenant": {"tenant": TENANT},
        "keyring": {"keyring": Keyring(OTHER, names=KEY)},
    }.items():
        yield name, {"keyring": keyring, "stores": [f"file://{directory / name}"], **options}


def test_an_entry_counts_in_its_own_place_alone(place, ran):
    """The swap matrix: each entry under each other's name, over all that tells entries apart."""
    found = {}
    token = TENANT.set("acme")
    caches = []
    for name, options in places(Keyring(KEY), place):
        cache = Cache(options.pop("stores"), **options)
        caches.append(cache)
        functions = {}
        for function, version in (("f", ""), ("g", ""), ("f", "2")):
            functions[function + version] = cache(name=function, version=version)(lambda x: x)
        for function, key in itertools.product(functions, (1, 2)):
            directory = place / name
            before = {entry.path for entry in entries(directory)}
            functions[function](key)
            (entry,) = [entry for entry in entries(directory) if entry.path not in before]
            found[name, function, key] = entry, partial(functions[function].peek, key)
    try:
        for (name, (entry, peek)), (other, (theirs, _)) in itertools.product(found.items(), repeat=2):
            entry.plant(theirs.envelope)
            assert (peek() is not None) == (name == other), f"{other} under {name}"
            entry.plant(entry.envelope)
        assert len(found) == 24
        ran("Z", f"each of {len(found)} entries under each other's name")
    finally:
        TENANT.reset(token)
        for cache in caches:
            cache.close()


def envelopes(place):
    """An envelope of each configuration, under the name that each is read by."""
    made = {}
    for name, options in CONFIGURATIONS.items():
        directory = place / f"made-{name}"
        with Cache([f"file://{directory}"], **options) as cache:
            cache.set("k", CANARY)
        made[name] = only(directory).envelope
    return made


CONFIGURATIONS = {
    "plain": {},
    "sealed": {"keyring": Keyring(KEY)},
    "rotated": {"keyring": Keyring(OTHER, KEY, names=KEY)},
    "pickled": {"format": "pickle"},
}
# Who reads what: nobody what has no seal, or another one, than configuration says.
READ = {("plain", "plain"), ("sealed", "sealed"), ("pickled", "pickled"), ("rotated", "rotated")}
READ |= {("rotated", "sealed")}


def test_what_is_sealed_otherwise_than_configured_is_a_miss(place, ran):
    """The downgrade matrix: each configuration's entry read under each configuration."""
    made = envelopes(place)
    assert {name: envelope[SUITE] for name, envelope in made.items()} == {
        "plain": 0,
        "sealed": 1,
        "rotated": 1,
        "pickled": 3,
    }
    for name, options in CONFIGURATIONS.items():
        directory = place / f"read-{name}"
        with Cache([f"file://{directory}"], **options) as cache:
            cache.set("k", "own")
            entry = only(directory)
            for other, envelope in made.items():
                entry.plant(envelope)
                wanted = CANARY if (name, other) in READ else None
                assert cache.get("k") == wanted, f"{other} read as {name}"
            for suite in range(256):
                envelope = bytearray(entry.envelope)
                if envelope[SUITE] != suite:
                    envelope[SUITE] = suite
                    entry.plant(bytes(envelope))
                    assert cache.get("k") is None
    ran("Z", f"{len(made)} configurations' entries under each of {len(CONFIGURATIONS)}")


def test_every_flipped_byte_is_a_miss(place):
    with Cache([f"file://{place}"], keyring=Keyring(KEY)) as cache:
        cache.set("k", CANARY)
        entry = only(place)
        for at in range(len(entry.envelope)):
            flipped = bytearray(entry.envelope)
            flipped[at] ^= 1 << at % 8
            entry.plant(bytes(flipped))
            assert cache.get("k") is None
            entry.plant(entry.envelope[:at])
            assert cache.get("k") is None


def test_a_tampered_entry_is_a_miss_and_computed_anew(place):
    with Cache([f"file://{place}"], keyring=Keyring(KEY)) as cache:

        @cache(name="load")
        def load(x: int) -> int:
            return x

        load(1)
        spoil(place)
        with assert_computed(load, 1):
            assert load(1) == 1
            assert load(1) == 1


def spoil(place):
    """Has somebody without the key write to the only entry; what lies there then."""
    entry = only(place)
    planted = entry.envelope[:-1] + bytes([entry.envelope[-1] ^ 1])
    entry.plant(planted)
    return entry.path.read_bytes()


@pytest.mark.proves("Cache.on_tamper")
def test_a_tampered_entry_may_be_raised_and_is_left_as_it_is(place):
    with Cache([f"file://{place}"], keyring=Keyring(KEY), on_tamper="raise") as cache:

        @cache(name="load")
        def load(x: int) -> int:
            return x

        @cache(name="later")
        async def later(x: int) -> int:
            return x

        verbs = {
            "call": (lambda: load(1), lambda: load(1)),
            "coroutine": (lambda: asyncio.run(later(1)), lambda: asyncio.run(later(1))),
            "peek": (lambda: load(1), lambda: load.peek(1)),
            "get": (lambda: cache.set("k", 1), lambda: cache.get("k")),
            "aget": (lambda: cache.set("k", 1), lambda: asyncio.run(cache.aget("k"))),
            "get_many": (lambda: cache.set("k", 1), lambda: cache.get_many(["k"])),
            "get_with_meta": (lambda: cache.set("k", 1), lambda: cache.get_with_meta("k")),
            "get_or_compute": (lambda: cache.set("k", 1), lambda: cache.get_or_compute("k", int)),
            "exists": (lambda: cache.set("k", 1), lambda: cache.exists("k")),
            "incr": (lambda: cache.set("k", 1), lambda: cache.incr("k")),
            "add": (lambda: cache.set("k", 1), lambda: cache.add("k", 1)),
            "touch": (lambda: cache.set("k", 1), lambda: cache.touch("k")),
            "scan": (lambda: cache.set("k", 1), lambda: list(cache.scan())),
        }
        for name, (prepare, verb) in verbs.items():
            cache.clear()
            prepare()
            evidence = spoil(place)
            for _ in range(2):
                with pytest.raises(StoreError, match="was changed in its store") as raised:
                    verb()
                assert raised.value.kind == "tampered" and "\nhint: " in str(raised.value), name
            assert only(place).path.read_bytes() == evidence, name
        cache.clear()
        load(1)
        spoil(place)
        load.invalidate(1)
        assert load(1) == 1, "who has seen it lets it go"


def test_salts_are_unique_over_forks(place, ran):
    """Each child begins with its parent's state, and no two messages have one salt."""
    with Cache([f"file://{place}"], keyring=Keyring(KEY)) as cache:
        cache.set("parent", 1)
        children = []
        for child in range(8):
            pid = os.fork()
            if pid == 0:
                try:
                    for number in range(16):
                        cache.set((child, number), 1)
                    os._exit(0)
                finally:
                    os._exit(1)
            children.append(pid)
        for pid in children:
            assert os.waitpid(pid, 0)[1] == 0
        for number in range(16):
            cache.set(("parent", number), 1)
    salts = [entry.envelope[16:48] for entry in entries(place)]
    assert len(salts) == len(set(salts)) == 1 + 9 * 16
    ran("Z", f"{len(salts)} salts over 8 forks")


def test_a_bomb_is_a_miss(place):
    """What unpacks to more than a value may have, made by a holder of the key."""
    bomb = os.urandom(1 << 16) * 100
    with Cache([f"file://{place}"], keyring=Keyring(KEY), compression="zstd") as large:
        large.set("k", bomb)
        assert large.get("k") == bomb and len(only(place).envelope) < 1 << 18
    with Cache([f"file://{place}"], keyring=Keyring(KEY), max_value="1MiB") as small:
        assert small.get("k") is None


def test_a_policy_says_that_it_is_to_be_encrypted():
    assert Policy(encrypted=True) != Policy() and repr(Policy(encrypted=True)) == "Policy(encrypted=True)"


@pytest.mark.proves("Policy.encrypted")
def test_what_is_to_be_encrypted_is_not_cached_in_the_open(url, monkeypatch):
    line = 'hint: write `Cache(..., keyring=Keyring.from_env("SHOP_KEY"))`, or set EVERWARM_KEY'
    cache = Cache(url)
    cache(encrypted=True)(double)
    assert line in refused(lambda: cache.get("k"))
    used = Cache(url)
    used.get("k")
    assert line in refused(lambda: used(encrypted=True)(double))
    assert line in refused(lambda: Cache(policy=Policy(encrypted=True)).get("k"))
    assert Cache(url, keyring=Keyring(KEY))(encrypted=True)(double)(2) == 4
    monkeypatch.setenv("EVERWARM_KEY", KEY)
    assert Cache(url)(encrypted=True)(double)(2) == 4


def double(x: int) -> int:
    return 2 * x


def refused(attempt):
    try:
        attempt()
    except ValueError as error:
        return str(error)
    pytest.fail("it was not refused")


def test_the_preset_wants_a_keyring_and_pickles_nothing(url):
    with Cache(url, keyring=Keyring(KEY)) as cache:
        load = cache.secure(double)
        assert load(2) == 4 and load.policy.ttl == "5m"
        assert "pickled" in refused(lambda: cache.secure(format="pickle")(double))
    bare = Cache(url)
    bare.secure(double)
    assert "has no keyring" in refused(lambda: bare.get("k"))


@pytest.mark.parametrize("on_tamper", ["raise", "miss"])
def test_a_farther_tier_does_not_write_over_the_evidence(place, on_tamper):
    near = place / "near"
    stores = [f"file://{near}", f"disk://{place / 'far'}"]
    with Cache(stores, keyring=Keyring(KEY), on_tamper=on_tamper) as cache:
        cache.set("k", 1)
        assert cache.get_many(["k"]) == {"k": 1}
        entry = only(near)
        planted = bytearray(entry.envelope)
        planted[100] ^= 1
        entry.plant(bytes(planted))
        evidence = entry.path.read_bytes()
        if on_tamper == "miss":
            assert cache.get("k") == 1
            return
        with pytest.raises(StoreError, match="was changed in its store"):
            cache.get("k")
        assert only(near).path.read_bytes() == evidence

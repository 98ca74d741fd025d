"""With `isolate` no caller changes what others are given."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everwarm import Cache, ConfigError, Policy, Unsupported
from worlds import PATIENCE, Gate, crowd, until


@pytest.fixture
def isolated(cache):
    return cache(isolate=True)


@pytest.mark.proves("Policy.isolate")
def test_neither_the_leader_nor_a_hit_shares_its_value(world, isolated):
    @world.cached(isolated)
    def load(x):
        return {"inner": [x]}

    for _ in range(3):
        world.call(load, 1)["inner"].append("changed")
    assert world.call(load, 1) == {"inner": [1]}
    assert load.stats().hits == 3
    load.peek(1).value["inner"].append("changed")
    assert world.call(load.call, 1).value == {"inner": [1]}
    assert world.call(load.call, 1).ttl is None and world.call(load.call, 1).age == 0


def test_followers_have_copies_of_their_own(world, isolated):
    gate, made = Gate(), []

    @world.cached(isolated)
    def load(x):
        yield gate
        made.append([x])
        return made[-1]

    leader = world.start(load, 1)
    gate.is_reached()
    followers = crowd(world, load, 4, 1)
    gate.open()
    values = [call.result(PATIENCE) for call in (leader, *followers)]
    assert values == [[1]] * 5 and len({id(value) for value in values}) == 5
    assert values[0] is made[0] and len(made) == 1


def test_what_was_primed_is_copied(isolated):
    load = isolated(lambda x: [x])
    mine = [1]
    load.prime(mine, 1)
    mine.append(2)
    assert load(1) == [1]
    assert load.refresh(1) == [1]


def test_what_cannot_be_copied_is_returned_and_not_stored(world, isolated):
    @world.cached(isolated)
    def load(x):
        return threading.Lock()

    assert world.call(load, 1) is not world.call(load, 1)
    stats = load.stats()
    assert (stats.errors, stats.entries, stats.computations) == (2, 0, 2)
    with pytest.raises(Unsupported, match="\nhint: "):
        load.prime(threading.Lock(), 1)


def test_followers_of_what_cannot_be_copied_compute_their_own(world, isolated):
    gate = Gate()

    @world.cached(isolated)
    def load(x):
        yield gate
        return threading.Lock()

    leader = world.start(load, 1)
    gate.is_reached()
    followers = crowd(world, load, 3, 1)
    gate.open()
    values = [call.result(PATIENCE) for call in (leader, *followers)]
    assert len({id(value) for value in values}) == 4


class Once:
    """Can be copied once, and its copy cannot."""

    def __init__(self, copies=1):
        self.copies = copies

    def __deepcopy__(self, memo):
        if not self.copies:
            raise RuntimeError("no more copies")
        return Once(self.copies - 1)


def test_a_hit_that_cannot_be_copied_calls_the_function(world, isolated):
    @world.cached(isolated)
    def load(x):
        return Once()

    world.call(load, 1)
    assert world.call(load.call, 1).status == "bypass"
    assert world.call(load, 1).copies == 1
    assert load.stats().errors == 2


@pytest.fixture
def own(clock):
    """A cache whose own verbs copy."""
    return Cache(clock=clock, policy=Policy(isolate=True))


def asked(own, ask):
    """What a verb gives for the entry "a" that holds ``[1]``; what it gave before was changed."""
    return {
        "get": lambda: own.get("a"),
        "get with a default": lambda: own.get("a", []),
        "get_many": lambda: own.get_many(["a"])["a"],
        "get_with_meta": lambda: own.get_with_meta("a").value,
        "get_or_compute": lambda: own.get_or_compute("a", list),
        "aget": lambda: asyncio.run(own.aget("a")),
        "aget_or_compute": lambda: asyncio.run(own.aget_or_compute("a", _never)),
    }[ask]()


async def _never():
    raise AssertionError("it is there")


READS = [
    "get",
    "get with a default",
    "get_many",
    "get_with_meta",
    "get_or_compute",
    "aget",
    "aget_or_compute",
]


@pytest.mark.proves("Policy.isolate")
@pytest.mark.parametrize("ask", READS)
def test_what_verbs_of_the_cache_give_is_a_copy(own, ask):
    own.set("a", [1])
    for _ in range(2):
        asked(own, ask).append("changed")
    assert asked(own, ask) == [1]
    assert own.stats().hits == 3


@pytest.mark.proves("Policy.isolate")
@pytest.mark.parametrize(
    "write",
    [
        lambda own, mine: own.set("a", mine),
        lambda own, mine: own.set("a", mine, ttl=60),
        lambda own, mine: own.set("a", mine, tags=["t"]),
        lambda own, mine: own.add("a", mine),
        lambda own, mine: (own.set("a", 0), own.replace("a", mine)),
        lambda own, mine: own.set_many({"a": mine}),
        lambda own, mine: (own.set("a", 0), own.compare_and_set("a", own.get_with_meta("a").version, mine)),
        lambda own, mine: own.get_or_compute("a", lambda: mine),
        lambda own, mine: asyncio.run(own.aset("a", mine)),
    ],
)
def test_what_verbs_of_the_cache_store_is_a_copy(own, write):
    mine = [1]
    write(own, mine)
    mine.append("changed")
    assert own.get("a") == [1]


def test_who_follows_in_get_or_compute_has_a_copy_of_its_own(world, own):
    gate, made = Gate(), []

    def load():
        yield gate
        made.append([1])
        return made[-1]

    verb = own.aget_or_compute if world.is_async else own.get_or_compute
    compute = world.cached(lambda shaped: shaped)(load)
    leader = world.start(verb, "a", compute)
    gate.is_reached()
    followers = [world.start(verb, "a", compute) for _ in range(4)]
    until(lambda: own.stats().misses == 5)
    gate.open()
    values = [call.result(PATIENCE) for call in (leader, *followers)]
    assert values == [[1]] * 5 and len({id(value) for value in values}) == 5
    assert values[0] is made[0] and len(made) == 1


def test_verbs_of_the_cache_refuse_what_cannot_be_copied(own):
    own.set_many({"a": 1, "b": 2})
    version = own.get_with_meta("a").version
    for write in (
        lambda: own.set("a", threading.Lock()),
        lambda: own.add("c", threading.Lock()),
        lambda: own.replace("a", threading.Lock()),
        lambda: own.compare_and_set("a", version, threading.Lock()),
        lambda: own.set_many({"b": 3, "a": threading.Lock()}),
    ):
        with pytest.raises(Unsupported, match="\nhint: "):
            write()
    assert own.get_many(["a", "b", "c"]) == {"a": 1, "b": 2}
    own.set("once", Once())
    with pytest.raises(Unsupported, match="\nhint: "):
        own.get("once")
    assert own.get_or_compute("once", lambda: 7) == 7


def test_what_get_or_compute_cannot_copy_is_returned_and_not_stored(own):
    assert own.get_or_compute("a", threading.Lock) is not own.get_or_compute("a", threading.Lock)
    assert (own.stats().errors, own.stats().entries) == (2, 0)


def test_scalars_of_verbs_are_not_copied_and_counters_count(own):
    text = "long" * 100
    own.set("a", text)
    assert own.get("a") is text and own.incr("n") == 1 and own.incr("n") == 2


def test_scalars_are_not_copied(isolated):
    text = "long" * 100
    load = isolated(lambda x: text)
    assert load(1) is load(1) is text


def test_a_value_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="\nhint: "):
        Policy(isolate="yes")
    assert not Cache()(len).policy.isolate

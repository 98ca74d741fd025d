"""With `isolate` no caller changes what others are given."""

from __future__ import annotations

import threading

import pytest
from everwarm import Cache, ConfigError, Policy, Unsupported
from worlds import PATIENCE, Gate, crowd


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


def test_scalars_are_not_copied(isolated):
    text = "long" * 100
    load = isolated(lambda x: text)
    assert load(1) is load(1) is text


def test_a_value_of_another_kind_is_refused():
    with pytest.raises(ConfigError, match="\nhint: "):
        Policy(isolate="yes")
    assert not Cache()(len).policy.isolate

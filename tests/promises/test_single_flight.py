"""One computation per key at a time, across threads, tasks and loops, whose value or error all share."""

from __future__ import annotations

import asyncio
import contextvars
import json
import subprocess
import sys
import threading

import pytest
from everwarm import Cache
from worlds import PATIENCE, Gate, Loops, Threads, adds_up, crowd, until


def test_s1_a_cold_key_is_computed_once_by_64_threads():
    rounds, callers, computed = 300, 64, []
    barrier = threading.Barrier(callers)
    cached = Cache()(lambda key: computed.append(key) or object())
    seen = [set() for _ in range(rounds)]

    def caller():
        for key in range(rounds):
            barrier.wait(PATIENCE)
            seen[key].add(cached(key))

    world = Threads()
    for future in [world.run(caller) for _ in range(callers)]:
        future.result(60)
    assert computed == list(range(rounds))
    assert all(len(values) == 1 for values in seen)
    adds_up(cached, rounds * callers)


def test_s1_a_cold_key_is_computed_once_by_64_tasks_on_three_loops():
    rounds, computed = 700, []

    @Cache()
    async def cached(key):
        computed.append(key)
        await asyncio.sleep(0)
        return object()

    async def callers(key, count):
        return await asyncio.gather(*(cached(key) for _ in range(count)))

    world = Loops(3)
    try:
        for key in range(rounds):
            loops = [world.run(lambda key=key, count=count: callers(key, count)) for count in (21, 21, 22)]
            values = {value for loop in loops for value in loop.result(PATIENCE)}
            assert len(values) == 1
    finally:
        world.close()
    assert computed == list(range(rounds))
    adds_up(cached, rounds * 64)


def test_followers_get_the_very_object_that_the_leader_made(world, cache):
    gate = Gate()

    @world.cached(cache)
    def load(key):
        yield gate
        return [key]

    calls = crowd(world, load, 8, 1)
    gate.open()
    values = [call.result(PATIENCE) for call in calls]
    assert all(value is values[0] for value in values)
    assert load.peek(1).value is values[0]
    stats = adds_up(load, 8)
    assert (stats.computations, stats.followers, stats.misses) == (1, 7, 8)


class Incomparable:
    """Like an array, neither equal nor unequal as a whole."""

    def __eq__(self, other):
        raise ValueError("ambiguous")

    __hash__ = None

    def __repr__(self):
        return "<incomparable>"


class Awkward(Exception):
    """Its constructor does not take what it keeps as ``args``."""

    def __init__(self, *, code):
        super().__init__(f"code {code}")
        self.code = code


class Slotted(Exception):
    __slots__ = ("code",)

    def __init__(self, code):
        super().__init__("slotted")
        self.code = code


class Wayward(Exception):
    """Made by a ``__new__`` that cannot be called with its ``args``."""

    def __new__(cls, first, second):
        return super().__new__(cls, first)

    def __init__(self, first, second):
        super().__init__(first + second)


def _noted():
    error = ValueError("with attributes", 3)
    error.request = "r-17"
    error.__cause__ = KeyError("cause")
    return error


ERRORS = {
    "ValueError": _noted,
    "KeyError": lambda: KeyError("k"),
    "FileNotFoundError": lambda: FileNotFoundError(2, "No such file", "/nowhere"),
    "OSError of two files": lambda: OSError(18, "Invalid link", "/here", None, "/there"),
    "ImportError": lambda: ImportError("no module", name="shop", path="/shop"),
    "AttributeError": lambda: AttributeError("no attribute", name="price", obj=Incomparable()),
    "UnicodeDecodeError": lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad byte"),
    "StopAsyncIteration": lambda: StopAsyncIteration(3),
    "SyntaxError": lambda: SyntaxError("bad", ("shop.py", 3, 1, "x =")),
    "CalledProcessError": lambda: subprocess.CalledProcessError(3, ["ls"], "out", "err"),
    "JSONDecodeError": lambda: json.JSONDecodeError("bad", "{", 1),
    "awkward": lambda: Awkward(code=7),
    "slotted": lambda: Slotted(9),
}


if sys.version_info >= (3, 11):
    ERRORS["ExceptionGroup"] = lambda: ExceptionGroup("both", [ValueError("one"), KeyError("two")])  # noqa: F821


def _told(error):
    """What a caller can see of an error."""
    fields = (
        "code",
        "request",
        "value",
        "lineno",
        "text",
        "cmd",
        "output",
        "stderr",
        "doc",
        "pos",
        "exceptions",
        "errno",
        "strerror",
        "filename",
        "filename2",
        "name",
        "path",
        "obj",
        "start",
        "end",
    )
    told = {field: getattr(error, field) for field in fields if hasattr(error, field)}
    return type(error), error.args, str(error), repr(error.__cause__), told


def _frames(error):
    frames, traceback = 0, error.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    return frames


@pytest.mark.parametrize("kind", ERRORS)
def test_a_leaders_error_reaches_every_follower_as_its_own(world, cache, kind):
    gate, original, computed = Gate(), ERRORS[kind](), []

    @world.cached(cache)
    def load(key):
        computed.append(key)
        yield gate
        raise original

    calls = crowd(world, load, 16, 1)
    gate.open()
    errors = [call.exception(PATIENCE) for call in calls]
    assert len({id(error) for error in errors}) == 16, "each caller raises an exception of its own"
    assert sum(error is original for error in errors) == 1, "the leader's caller gets the error itself"
    assert {repr(_told(error)) for error in errors} == {repr(_told(original))}
    assert max(map(_frames, errors)) <= min(map(_frames, errors)) + 12, (
        "no traceback grows from follower to follower"
    )
    assert computed == [1] and load.peek(1) is None
    adds_up(load, 16)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with CPython 3.11")
def test_a_note_on_one_callers_error_is_on_no_others(world, cache):
    gate, original = Gate(), ValueError("noted")
    original.add_note("by the leader")

    @world.cached(cache)
    def load(key):
        yield gate
        raise original

    calls = crowd(world, load, 4, 1)
    gate.open()
    errors = [call.exception(PATIENCE) for call in calls]
    for place, error in enumerate(errors):
        error.add_note(f"by caller {place}")
    assert [error.__notes__ for error in errors] == [
        ["by the leader", f"by caller {place}"] for place in range(4)
    ]


def test_an_error_that_cannot_be_copied_is_raised_as_itself(world, cache):
    gate, original = Gate(), Wayward("a", "b")

    @world.cached(cache)
    def load(key):
        yield gate
        raise original

    calls = crowd(world, load, 3, 1)
    gate.open()
    assert all(call.exception(PATIENCE) is original for call in calls)


def test_an_error_is_not_stored_and_the_next_call_computes(world, cache):
    outcomes = [ValueError("first"), "second"]

    @world.cached(cache)
    def load(key):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="first"):
        world.call(load, 1)
    assert world.call(load, 1) == "second"
    assert adds_up(load, 2).computations == 2


def test_a_cancelled_follower_leaves_the_others_alone():
    world, cache, gate, computed = Loops(3), Cache(), Gate(), []

    @world.cached(cache)
    def load(key):
        computed.append(key)
        yield gate
        return key

    leader = world.start(load, 1)
    gate.is_reached()
    followers = crowd(world, load, 9, 1)
    for follower in followers[::2]:
        follower.cancel()
    gate.open()
    assert leader.result(PATIENCE) == 1
    assert [follower.result(PATIENCE) for follower in followers[1::2]] == [1] * 4
    assert computed == [1]
    world.close()


caller_name = contextvars.ContextVar("caller_name", default="nobody")


def test_the_computation_sees_the_context_variables_of_its_caller(world, cache):
    @world.cached(cache)
    def load(key):
        return caller_name.get()

    def in_thread():
        caller_name.set("Ada")
        return load(1)

    async def in_task():
        caller_name.set("Ada")
        return await load(1)

    assert world.run(in_task if world.is_async else in_thread).result(PATIENCE) == "Ada"


def test_what_the_computation_sets_in_its_context_its_caller_sees(world, cache):
    @world.cached(cache)
    def load(key):
        caller_name.set("Grace")
        return key

    def in_thread():
        load(1)
        return caller_name.get()

    async def in_task():
        await load(1)
        return caller_name.get()

    assert world.run(in_task if world.is_async else in_thread).result(PATIENCE) == "Grace"


def test_a_call_during_a_refresh_gets_the_entry_and_without_one_follows(world, cache):
    gates, computed = [Gate(), Gate()], []

    @world.cached(cache)
    def load(key):
        computed.append(key)
        turn = len(computed)
        yield gates[turn - 1]
        return turn

    for turn, gate in enumerate(gates, 1):
        refreshed = world.start(load.refresh, 1)
        gate.is_reached()
        if turn == 1:
            follower = world.start(load, 1)
            until(lambda: load.stats().followers == 1)
            gate.open()
            assert follower.result(PATIENCE) == 1
        else:
            assert world.call(load, 1) == 1, "the entry is served until the refresh has ended"
            gate.open()
        assert refreshed.result(PATIENCE) == turn
    assert world.call(load, 1) == 2
    stats = adds_up(load, 5)
    assert (stats.bypass, stats.misses, stats.hits, stats.computations) == (2, 1, 2, 2)


def test_a_refresh_that_fails_leaves_the_entry(world, cache):
    outcomes = ["first", LookupError("second")]

    @world.cached(cache)
    def load(key):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert world.call(load, 1) == "first"
    with pytest.raises(LookupError):
        world.call(load.refresh, 1)
    assert world.call(load, 1) == "first"

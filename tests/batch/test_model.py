"""Any batches in any order, against a plain dict."""

from __future__ import annotations

import asyncio

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

IDS = st.sampled_from([*range(-2, 5), "a", "b", "", ("a", 1), b"a", True, False, 1.0, None])
KINDS = st.sampled_from([list, tuple, set, frozenset])
TTL = 5


def mark(each):
    """What tells ids apart: `1`, `True` and `1.0` are three."""
    return type(each).__name__, each


class Model(RuleBasedStateMachine):
    """A batch with room for everything, and the dict it must be like."""

    chunk = None

    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.now, self.version, self.entries = 0, 0, {}
        # What was computed in the step, and what had to be; and how much in all.
        self.calls, self.expected, self.computations = [], [], 0
        self.batch = Cache(clock=self.clock).batch(ttl=TTL, chunk=self.chunk)(self.function())

    def function(self):
        return lambda ids: self.source(ids)

    def ended(self, given):
        return given

    def source(self, ids):
        assert self.chunk is None or len(ids) <= self.chunk
        self.calls += [mark(each) for each in ids]
        return {each: self.value(each) for each in ids if each != ""}

    def value(self, each):
        return None if each == "" else (mark(each), self.version)

    def at(self, each):
        """The entry of an id as ``(value,)``, or None."""
        found = self.entries.get(mark(each))
        return found[:1] if found is not None and found[1] > self.now else None

    def computed(self, each):
        self.expected.append(mark(each))
        self.entries[mark(each)] = (self.value(each), self.now + TTL)

    @rule(seconds=st.sampled_from([1, 2, 4]))
    def time_goes_on(self, seconds):
        self.clock.advance(seconds)
        self.now += seconds

    @rule()
    def the_source_changes(self):
        self.version += 1

    @rule(ids=st.lists(IDS, max_size=8), kind=KINDS, refresh=st.booleans())
    def call(self, ids, kind, refresh):
        given = kind(ids)
        ids = list(given)
        for each in {mark(each): each for each in ids}.values():
            if refresh or self.at(each) is None:
                self.computed(each)
        answer = self.ended(self.batch.refresh(given) if refresh else self.batch(given))
        values = [self.at(each)[0] for each in ids]
        if kind in (list, tuple):
            assert answer == values
        else:
            assert answer == {each: v for each, v in zip(ids, values, strict=True) if v is not None}

    @rule(each=IDS)
    def load(self, each):
        if self.at(each) is None:
            self.computed(each)
        assert self.ended(self.batch.load(each)) == self.at(each)[0]

    @rule(each=IDS)
    def peek(self, each):
        found, entry = self.batch.peek(each), self.at(each)
        assert (found and (found.value,)) == entry

    @rule(ids=st.lists(IDS, max_size=4))
    def invalidate_many(self, ids):
        self.batch.invalidate_many(ids)
        for each in ids:
            self.entries.pop(mark(each), None)

    @rule(each=IDS, value=st.sampled_from([None, 7]))
    def prime(self, each, value):
        self.batch.prime({each: value})
        self.entries[mark(each)] = (value, self.now + TTL)

    @rule()
    def clear(self):
        self.batch.clear()
        self.entries.clear()

    @invariant()
    def nothing_else_was_computed(self):
        assert sorted(map(repr, self.calls)) == sorted(map(repr, self.expected))
        self.computations += len(self.calls)
        self.calls, self.expected = [], []
        stats = self.batch.stats()
        assert stats.calls == stats.hits + stats.misses + stats.bypass
        assert stats.computations == self.computations


class Awaited(Model):
    """The same of a coroutine function, in chunks."""

    chunk = 3

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        super().__init__()

    def function(self):
        async def awaited(ids):
            await asyncio.sleep(0)
            return self.source(ids)

        return awaited

    def ended(self, given):
        async def end():
            return await given

        return self.loop.run_until_complete(end())

    def teardown(self):
        self.loop.close()


@pytest.mark.parametrize("model", [Model, Awaited])
def test_a_batch_is_like_a_dict_of_what_its_function_gave(model):
    model.TestCase().runTest()

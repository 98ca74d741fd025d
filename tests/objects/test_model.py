"""All object verbs against a plain dict, step by step, under a clock that the test moves."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from conftest import CORE_ONLY, IN_CI
from everwarm import Cache
from everwarm.testing import ManualClock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ways import WORLDS

KEYS = st.sampled_from(["a", "b", "user:1", "user:2", 1, ("a", 1), b"a"])
VALUES = st.one_of(st.none(), st.integers(-3, 3), st.text(max_size=2))
TTLS = st.sampled_from([None, 1, 2, 5])
TAGS = st.sampled_from([list(tags) for count in range(3) for tags in permutations("xyz", count)])
NUMBERS = st.integers(-5, 5)


class Entry:
    """An entry as the model has it."""

    def __init__(self, value, ttl, tags, now):
        self.value, self.given, self.tags, self.written = value, ttl, list(tags), now
        self.end = math.inf if ttl is None else now + ttl


class Model(RuleBasedStateMachine):
    """A cache with room for everything, and the dict it must be like."""

    world = WORLDS["direct"]
    room = 1_000
    # How many were taken, in all examples.
    steps = 0

    def __init__(self):
        super().__init__()
        self.clock = ManualClock()
        self.shop = self.world(Cache(clock=self.clock, max_entries=self.room))
        self.entries, self.now, self.versions = {}, 0, {}

    def teardown(self):
        self.shop.end()

    def at(self, key):
        entry = self.entries.get(key)
        return entry if entry is not None and entry.end > self.now else None

    def put(self, key, value, ttl, tags):
        self.entries[key] = Entry(value, ttl, tags, self.now)

    @rule(seconds=st.sampled_from([0.5, 1, 3]))
    def time_goes_on(self, seconds):
        self.clock.advance(seconds)
        self.now += seconds

    @rule(key=KEYS)
    def get(self, key):
        entry = self.at(key)
        assert self.shop.get(key, "missing") == (entry.value if entry else "missing")
        assert self.shop.exists(key) is (entry is not None)

    @rule(keys=st.lists(KEYS, max_size=4))
    def get_many(self, keys):
        assert self.shop.get_many(keys) == {key: self.at(key).value for key in keys if self.at(key)}

    @rule(key=KEYS, value=VALUES, ttl=TTLS, tags=TAGS)
    def set(self, key, value, ttl, tags):
        self.shop.set(key, value, ttl=ttl, tags=tags)
        self.put(key, value, ttl, tags)

    @rule(keys=st.lists(KEYS, max_size=3), value=VALUES, ttl=TTLS, tags=TAGS)
    def set_many(self, keys, value, ttl, tags):
        self.shop.set_many(dict.fromkeys(keys, value), ttl=ttl, tags=tags)
        for key in keys:
            self.put(key, value, ttl, tags)

    @rule(key=KEYS, value=VALUES, ttl=TTLS, tags=TAGS, there=st.booleans())
    def add_or_replace(self, key, value, ttl, tags, there):
        verb = self.shop.replace if there else self.shop.add
        done = there is (self.at(key) is not None)
        assert verb(key, value, ttl=ttl, tags=tags) is done
        if done:
            self.put(key, value, ttl, tags)

    @rule(key=KEYS, value=VALUES, ttl=TTLS, tags=TAGS)
    def get_or_compute(self, key, value, ttl, tags):
        if self.at(key) is None:
            self.put(key, value, ttl, tags)
        found = self.shop.get_or_compute(key, self.shop.computing(lambda: value), ttl=ttl, tags=tags)
        assert found == self.at(key).value

    @rule(keys=st.lists(KEYS, max_size=3, unique=True))
    def delete(self, keys):
        there = sum(self.at(key) is not None for key in keys)
        assert self.shop.delete_many(keys) == there
        for key in keys:
            self.entries.pop(key, None)
            assert self.shop.delete(key) is False

    @rule(key=KEYS)
    def get_with_meta(self, key):
        seen, entry = self.shop.get_with_meta(key), self.at(key)
        assert (seen is None) is (entry is None)
        if entry:
            left = None if entry.end == math.inf else entry.end - self.now
            assert (seen.value, seen.ttl, seen.age) == (entry.value, left, self.now - entry.written)
            assert sorted(seen.tags) == sorted(entry.tags)
            self.versions[key] = seen.version, entry

    @rule(key=KEYS, value=VALUES)
    def compare_and_set(self, key, value):
        version, seen = self.versions.get(key, (0, None))
        entry = self.at(key)
        done = entry is not None and entry is seen
        assert self.shop.compare_and_set(key, version, value) is done
        if done:
            self.rewrite(key, entry, value)

    def rewrite(self, key, entry, value):
        after = Entry(value, entry.given, entry.tags, self.now)
        after.end = entry.end
        self.entries[key] = after

    @rule(key=KEYS)
    def ttl(self, key):
        entry = self.at(key)
        assert self.shop.ttl(key) == (entry.end - self.now if entry else None)

    @rule(key=KEYS, ttl=TTLS)
    def expire_or_persist(self, key, ttl):
        entry = self.at(key)
        done = self.shop.persist(key) if ttl is None else self.shop.expire(key, ttl)
        assert done is (entry is not None)
        if entry and ttl is None:
            entry.end = math.inf
        elif entry:
            entry.given, entry.end = ttl, self.now + ttl

    @rule(key=KEYS)
    def touch(self, key):
        entry = self.at(key)
        assert self.shop.touch(key) is (entry is not None)
        if entry and entry.end != math.inf:
            entry.end = self.now + entry.given

    @rule(key=KEYS, past=st.booleans())
    def mark_stale(self, key, past):
        entry = self.at(key)
        assert (self.shop.expire_at(key, 0) if past else self.shop.mark_stale(key)) is (entry is not None)
        self.entries.pop(key, None)

    @rule(key=KEYS, tags=TAGS)
    def add_tags(self, key, tags):
        entry = self.at(key)
        assert self.shop.add_tags(key, *tags) is (entry is not None)
        if entry:
            entry.tags += [tag for tag in tags if tag not in entry.tags]

    @rule(key=KEYS, by=NUMBERS, initial=NUMBERS, ttl=TTLS, down=st.booleans())
    def count(self, key, by, initial, ttl, down):
        entry = self.at(key)
        verb = self.shop.decr if down else self.shop.incr
        if entry and type(entry.value) is not int:
            with pytest.raises(TypeError):
                verb(key, by)
            return
        total = (entry.value if entry else initial) + (-by if down else by)
        assert verb(key, by, initial=initial, ttl_on_create=ttl) == total
        if entry:
            self.rewrite(key, entry, total)
        else:
            self.put(key, total, ttl, [])

    @rule(tags=TAGS)
    def invalidate_tags(self, tags):
        self.shop.invalidate_tags(*tags)
        self.entries = {key: entry for key, entry in self.entries.items() if not {*tags} & {*entry.tags}}

    @rule(prefix=st.sampled_from(["", "user:", "a"]))
    def scan(self, prefix):
        texts = [key for key in self.entries if type(key) is str and self.at(key) and key.startswith(prefix)]
        assert sorted(self.shop.scan(prefix)) == sorted(texts)

    @rule()
    def sweep(self):
        self.shop.sweep()
        live = [key for key in self.entries if self.at(key)]
        assert self.shop.cache.stats().entries >= len(live)

    @precondition(lambda self: len(self.entries) > 5)
    @rule()
    def clear(self):
        self.shop.clear()
        self.entries.clear()

    @invariant()
    def the_table_holds_no_more_than_its_bound(self):
        type(self).steps += 1
        assert self.shop.cache.stats().entries <= self.room


class AwaitedModel(Model):
    world = WORLDS["awaited"]


class Crowded(RuleBasedStateMachine):
    """A cache with room for three: a value is what was last set, or it is not there."""

    def __init__(self):
        super().__init__()
        self.cache = Cache(max_entries=3)
        self.last = {}

    @rule(key=st.integers(0, 9), value=VALUES)
    def set(self, key, value):
        self.cache.set(key, value)
        self.last[key] = value

    @rule(key=st.integers(0, 9), value=VALUES)
    def add(self, key, value):
        if self.cache.add(key, value):
            self.last[key] = value

    @rule(key=st.integers(0, 9))
    def delete(self, key):
        self.cache.delete(key)
        self.last.pop(key, None)

    @rule(key=st.integers(0, 9))
    def count(self, key):
        value = self.cache.get(key)
        if value is None or type(value) is int:
            there = self.cache.exists(key)
            if not (there and value is None):
                self.last[key] = self.cache.incr(key)
                assert self.last[key] == (value + 1 if there else 1)

    @rule(key=st.integers(0, 9), value=VALUES)
    def get_or_compute(self, key, value):
        self.last[key] = self.cache.get_or_compute(key, lambda: value)

    @invariant()
    def what_is_there_is_what_was_set(self):
        found = self.cache.get_many(range(10))
        assert found == {key: self.last[key] for key in found}
        assert self.cache.stats().entries <= 3


STEPS = settings(stateful_step_count=70, deadline=None)

# In CI both worlds together take more than 100,000 steps on the first interpreter.
IS_LONG = IN_CI and not CORE_ONLY
EXAMPLES, ENOUGH = (1_000, 50_000) if IS_LONG else (STEPS.max_examples, 1)


@pytest.mark.parametrize("machine", [Model, AwaitedModel], ids=["direct", "awaited"])
def test_each_step_does_what_it_does_to_the_dict(machine):
    before = machine.steps
    run_state_machine_as_test(machine, settings=settings(STEPS, max_examples=EXAMPLES))
    # The invariant is looked at once before the first step of each example.
    assert machine.steps - before - EXAMPLES > ENOUGH


TestCrowded = Crowded.TestCase
TestCrowded.settings = STEPS

"""C1: in any history a read that begins after an invalidation has returned sees nothing older.

A history is a seeded script for two to four workers over a versioned source. A write raises the source's
version, then invalidates; when that has returned, the version is the floor of the keys it meets. Each read
notes its key's floor before it begins, and its value's version must not be below it.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import sys
import threading
import time
from contextlib import nullcontext

import pytest
from everwarm import Cache
from worlds import PATIENCE, Loops, Threads

pytestmark = [pytest.mark.once, pytest.mark.chance]

KEYS = ("a", "b")


def in_a_unit(cache, load, key):
    """Invalidates by tag once a block has ended, as after a commit."""
    with cache.unit_of_work():
        cache.invalidate_tags(f"key:{key}")


# What a write does, given the cache, the function and a key; and whether it meets all keys.
WRITES = {
    "invalidate": (lambda cache, load, key: load.invalidate(key), False),
    "tag of the argument": (lambda cache, load, key: cache.invalidate_tags(f"key:{key}"), False),
    "tag of the result": (lambda cache, load, key: cache.invalidate_tags(f"result:{key}"), False),
    "tag of all": (lambda cache, load, key: cache.invalidate_tags("all"), True),
    "values": (lambda cache, load, key: load.invalidate_where(key=key), False),
    "unit of work": (lambda cache, load, key: in_a_unit(cache, load, key), False),
    "clear of the function": (lambda cache, load, key: load.clear(), True),
    "clear of the cache": (lambda cache, load, key: cache.clear(), True),
}
PRIME, READ, REFRESH = "prime", "read", "refresh"


class History:
    """One script, its source, and what went wrong."""

    def __init__(self, seed):
        self.seed = seed
        self.random = random.Random(seed)
        verbs = [*WRITES, PRIME, READ, READ, READ, READ, READ, READ, REFRESH]
        self.scripts = [
            [
                (self.random.choice(verbs), self.random.choice(KEYS), self.random.randrange(4))
                for _ in range(length)
            ]
            for length in (self.random.randrange(3, 7) for _ in range(self.random.randrange(2, 5)))
        ]
        primes = any(verb == PRIME for script in self.scripts for verb, _, _ in script)
        # A prime is a write of its own only if no other write comes between its version and its value.
        self.writing = threading.Lock() if primes else nullcontext()
        self.floors = dict.fromkeys(KEYS, 0)
        self.version = 0
        self.lock = threading.Lock()
        self.wrong = []

    def loaded(self, key):
        return key, self.version

    def pauses(self):
        return self.random.randrange(4)

    def write(self, cache, load, verb, key):
        with self.writing:
            with self.lock:
                self.version += 1
                version = self.version
            if verb == PRIME:
                load.prime((key, version), key)
                keys = (key,)
            else:
                act, meets_all = WRITES[verb]
                act(cache, load, key)
                keys = KEYS if meets_all else (key,)
            with self.lock:
                for key in keys:
                    self.floors[key] = max(self.floors[key], version)

    def check(self, verb, key, floor, value):
        if value[0] != key or value[1] < floor:
            self.wrong.append(
                f"{verb} of {key!r} gave {value}, though version {floor} was invalidated before it began"
            )


def play_in_threads(pool, history, cache):
    @decorated(cache)
    def load(key):
        pause(history.pauses())
        value = history.loaded(key)
        pause(history.pauses())
        return value

    def pause(times):
        for _ in range(times):
            time.sleep(0)

    def worker(script):
        for verb, key, pauses in script:
            pause(pauses)
            if verb in (READ, REFRESH):
                floor = history.floors[key]
                history.check(verb, key, floor, load(key) if verb == READ else load.refresh(key))
            else:
                history.write(cache, load, verb, key)

    pool.play(worker, history.scripts)


def play_in_loops(world, histories, caches):
    """Plays histories one after the other, each with its workers spread over the world's loops."""

    async def pause(times):
        for _ in range(times):
            await asyncio.sleep(0)

    async def worker(history, cache, load, script):
        for verb, key, pauses in script:
            await pause(pauses)
            if verb in (READ, REFRESH):
                floor = history.floors[key]
                history.check(verb, key, floor, await (load(key) if verb == READ else load.refresh(key)))
            else:
                history.write(cache, load, verb, key)

    def loader(history, cache):
        @decorated(cache)
        async def load(key):
            await pause(history.pauses())
            value = history.loaded(key)
            await pause(history.pauses())
            return value

        return load

    async def alone():
        for history, cache in zip(histories, caches, strict=True):
            load = loader(history, cache)
            await asyncio.gather(*(worker(history, cache, load, script) for script in history.scripts))

    def spread(history, cache):
        load = loader(history, cache)
        works = [lambda script=script: worker(history, cache, load, script) for script in history.scripts]
        for future in [world.run(work) for work in works]:
            future.result(PATIENCE)

    if len(world.loops) == 1:
        world.run(alone).result(120)
    else:
        for history, cache in zip(histories, caches, strict=True):
            spread(history, cache)


def decorated(cache):
    def tags_from_result(value):
        return [f"result:{value[0]}"]

    return cache(tags=["all", "key:{key}"], tags_from_result=tags_from_result, index=["key"])


class Pool:
    """Four threads that play one history after the other."""

    def __init__(self):
        self._barrier = threading.Barrier(5)
        self._task = None
        for place in range(4):
            Threads().run(lambda place=place: self._stand_by(place))

    def _stand_by(self, place):
        while True:
            self._barrier.wait()
            worker, scripts = self._task
            if worker is None:
                return
            try:
                if place < len(scripts):
                    worker(scripts[place])
            except BaseException as error:
                self._errors.append(error)
            self._barrier.wait(PATIENCE)

    def play(self, worker, scripts):
        self._task, self._errors = (worker, scripts), []
        self._barrier.wait(PATIENCE)
        self._barrier.wait(PATIENCE)
        assert not self._errors

    def close(self):
        self._task = None, ()
        self._barrier.wait(PATIENCE)


def play(world, seeds, make_cache=Cache):
    """The histories of ``seeds`` in which a read was wrong."""
    histories = [History(seed) for seed in seeds]
    if world.is_async:
        play_in_loops(world, histories, [make_cache() for _ in histories])
    else:
        pool, interval = Pool(), sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for history in histories:
                play_in_threads(pool, history, make_cache())
        finally:
            sys.setswitchinterval(interval)
            pool.close()
    return [
        f"seed {history.seed}: {history.wrong}, scripts {history.scripts}"
        for history in histories
        if history.wrong
    ]


HISTORIES = {"threads": 3_000, "loop": 6_000, "loops": 1_000}


def test_c1_no_read_sees_what_was_invalidated_before_it_began(world):
    assert play(world, range(HISTORIES[world.name])) == []


def test_c1_holds_while_entries_are_evicted(world):
    assert play(world, range(20_000, 20_500), lambda: Cache(max_entries=1)) == []


class Deaf:
    """A cache whose one write does nothing."""

    def __init__(self, verb):
        self.verb = verb
        self.cache = Cache()

    def __call__(self, **policy):
        return lambda function: DeafFunction(self.cache(**policy)(function), self.verb)

    def invalidate_tags(self, tag):
        kind = {"k": "tag of the argument", "r": "tag of the result", "a": "tag of all"}[tag[0]]
        if kind != self.verb:
            self.cache.invalidate_tags(tag)

    def clear(self):
        if self.verb != "clear of the cache":
            self.cache.clear()

    def unit_of_work(self):
        return Rolled(self) if self.verb == "unit of work" else self.cache.unit_of_work()


class Rolled:
    """A unit of work that does nothing at its end."""

    def __init__(self, deaf):
        self.deaf = deaf

    def __enter__(self):
        self.cache, self.deaf.cache = self.deaf.cache, Cache()

    def __exit__(self, *_):
        self.deaf.cache = self.cache


class DeafFunction:
    """The function's side of it."""

    def __init__(self, function, verb):
        self.function, self.verb = function, verb
        self.refresh, self.prime = function.refresh, function.prime

    def __call__(self, key):
        return self.function(key)

    def invalidate(self, key):
        if self.verb != "invalidate":
            self.function.invalidate(key)

    def invalidate_where(self, key):
        if self.verb != "values":
            self.function.invalidate_where(key=key)

    def clear(self):
        if self.verb != "clear of the function":
            self.function.clear()


@pytest.mark.parametrize("verb", WRITES)
def test_the_checker_sees_a_write_that_does_nothing(verb):
    world = Loops(1)
    assert play(world, range(200), lambda: Deaf(verb)), "the histories are blind to this write"
    world.close()


class Forgetful:
    """The usual fault: it stores what a computation brings, whatever was invalidated meanwhile."""

    def __init__(self):
        self.entries = {}

    def __call__(self, **policy):
        return self.decorate

    def decorate(self, function):
        async def read_later(key):
            value = self.entries.get(key)
            if value is None:
                value = self.entries[key] = await function(key)
            return value

        def read(key):
            value = self.entries.get(key)
            if value is None:
                value = self.entries[key] = function(key)
            return value

        load = read_later if inspect.iscoroutinefunction(function) else read
        load.invalidate = lambda key: self.entries.pop(key, None)
        load.invalidate_where = load.invalidate
        load.clear = self.entries.clear
        load.refresh = function
        load.prime = lambda value, key: self.entries.__setitem__(key, value)
        return load

    def invalidate_tags(self, tag):
        if tag == "all":
            self.entries.clear()
        else:
            self.entries.pop(tag.partition(":")[2], None)

    def clear(self):
        self.entries.clear()

    def unit_of_work(self):
        return nullcontext()


def test_the_checker_sees_a_value_stored_after_its_invalidation(world):
    assert play(world, range(500), Forgetful), "the histories never invalidate during a computation"


class Hoarding(Forgetful):
    """It gives back the first value it ever saw."""

    def decorate(self, function):
        load = super().decorate(function)
        load.invalidate = load.invalidate_where = lambda key: None
        load.clear = lambda: None
        return load


def test_the_checker_sees_an_old_value(world):
    assert play(world, range(200), Hoarding)

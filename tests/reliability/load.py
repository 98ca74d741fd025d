"""Threads and tasks that call what is cached, whatever happens to its server, and check what they are given.

Values prove themselves: they name the function and the key that they were computed for, and the number of the
computation, and end in a digest of it all.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import gc
import hashlib
import itertools
import os
import random
import threading
import time

from everwarm import Cache
from worlds import adds_up

KEYS = 30
# An operation has 50 ms, and a call asks three; but a lease whose answer was damaged on its way is waited for
# until it ends, after 5 s. What hangs takes a quarter of an hour.
SLOWEST = 5.0 + 2.0
PATIENCE = 20

# How soon all is well after a fault's end, and what a loaded machine is given on top.
RECOVERY, SLACK = 5.0, 10.0


def proof(*parts):
    """A value that says for what it was computed, and whether it is whole."""
    text = "|".join(map(str, parts))
    return {"text": text, "digest": hashlib.sha256(text.encode()).hexdigest()}


def proven(value, function, key):
    """The number of the computation that a value came from, if it is whole and of that function and key."""
    assert value == proof(*value["text"].split("|")), f"not whole: {value}"
    of, at, sequence, _ = value["text"].split("|", 3)
    assert (of, int(at)) == (function, key), f"computed for {of}({at}), given for {function}({key})"
    return int(sequence)


class Source:
    """What is cached: a number for each key that only grows, with some filler."""

    def __init__(self):
        self._numbers = itertools.count(1)
        self._guard = threading.Lock()
        # The least number that a call which begins now may be given.
        self.floor = dict.fromkeys(range(KEYS), 0)

    def value(self, function, key):
        with self._guard:
            number = next(self._numbers)
        return proof(function, key, number, "x" * (number % 7 * 1500))

    def changed(self, key, invalidate):
        """From the end of this call on what was computed before its begin is not given any more."""
        with self._guard:
            number = next(self._numbers)
        invalidate(key)
        with self._guard:
            self.floor[key] = max(self.floor[key], number)


class Load:
    """Three threads, and a loop with eight tasks of which some are cancelled, until it is over.

    Where bytes are damaged on their way an invalidation may be, too, or the count that a reader holds an
    entry against: values prove themselves then, and that they are ``current`` is not looked at.
    """

    def __init__(self, cache, seed=1, *, current=True):
        self.source, self.over, self.raised = Source(), threading.Event(), []
        self.slowest, self._seed, self._current = 0.0, seed, current
        # How many calls each thread has made; `next` on each is one step of the interpreter's.
        self._calls, self._answers = itertools.count(), itertools.count()

        @cache(name="sync", ttl="1m")
        def of_thread(key: int) -> dict:
            return self.source.value("sync", key)

        @cache(name="async", ttl="1m")
        async def of_task(key: int) -> dict:
            return self.source.value("async", key)

        self.cache, self.of_thread, self.of_task = cache, of_thread, of_task
        self._threads = [threading.Thread(target=self._told, args=(self._call, n)) for n in range(3)]
        self._threads.append(threading.Thread(target=self._told, args=(self._loop, 10)))

    def _told(self, work, number):
        try:
            work(random.Random(self._seed * 1000 + number))
        except BaseException as error:
            self.raised.append(error)
            self.over.set()

    def _checked(self, value, function, key, floor, begun):
        next(self._answers)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        assert proven(value, function, key) >= floor, f"older than the invalidation: {value['text'][:40]}"

    def _call(self, draw):
        while not self.over.is_set():
            key = draw.randrange(KEYS)
            if draw.random() < 0.05:
                self.source.changed(key, self.of_thread.invalidate)
            floor, begun = self.source.floor[key] if self._current else 0, time.monotonic()
            next(self._calls)
            self._checked(self.of_thread(key), "sync", key, floor, begun)

    def _loop(self, draw):
        async def task(draw):
            while not self.over.is_set():
                key, begun = draw.randrange(KEYS), time.monotonic()
                patience = draw.choice([None, None, draw.random() / 500])
                try:
                    value = await asyncio.wait_for(self.of_task(key), patience)
                except asyncio.TimeoutError:
                    continue
                self._checked(value, "async", key, 0, begun)
                await asyncio.sleep(0)

        async def main():
            await asyncio.gather(*(task(random.Random(draw.random())) for _ in range(8)))
            assert len(asyncio.all_tasks()) == 1, "a task is left"

        asyncio.run(main())

    def goes_on(self, seconds):
        """Lets it run for so long, unless it fails."""
        self.over.wait(seconds)
        self._raises()

    def _raises(self):
        if self.raised:
            raise self.raised[0]

    def recovers(self):
        """Waits until nine tenths of all keys are hits; how long that took."""
        begun, hits = time.monotonic(), 0
        while hits < 0.9 * KEYS:
            assert time.monotonic() - begun < RECOVERY + SLACK, "it does not recover"
            results = [self.of_thread.call(key) for key in range(KEYS)]
            for key, result in enumerate(results):
                next(self._calls)
                proven(result.value, "sync", key)
            hits = sum(result.status == "hit" for result in results)
        return time.monotonic() - begun

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind, error, traceback):
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads), "a call does not end"
        if error is None:
            self._raises()
            assert self.slowest < SLOWEST, f"a call took {self.slowest:.3f} s"
            adds_up(self.of_thread, next(self._calls))
            stats = self.of_task.stats()
            assert stats.calls == stats.hits + stats.misses + stats.stale + stats.bypass
        self.answers = next(self._answers)


def _held():
    """What a process has at the moment: its descriptors, by what they are of, and its threads."""
    gc.collect()
    held = collections.Counter(threads=len(os.listdir("/proc/self/task")))
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            held[os.readlink(f"/proc/self/fd/{descriptor}").partition(":")[0]] += 1
    return held


@contextlib.contextmanager
def nothing_is_left(url):
    """A block after which there are no more descriptors and threads than before; where the system tells.

    What a process has once, and keeps, is there before: it is made by a first cache on the server at ``url``.
    """
    with Cache([url], namespace="first") as first:
        assert first.get("a") is None and asyncio.run(first.aget("a")) is None
    is_told = os.path.isdir("/proc/self/fd")
    before = _held() if is_told else {}
    yield
    end = time.monotonic() + PATIENCE
    while is_told and (more := _held() - before):
        assert time.monotonic() < end, f"there are more of {more}"
        time.sleep(0.05)

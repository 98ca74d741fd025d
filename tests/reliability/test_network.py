"""Mixed load on Redis while the network fails in another way every so often.

No value is ever wrong, and nothing is raised. Values prove themselves: they name the function and the key
they were computed for, and end in a digest of it all. ``SOAK_SECONDS`` makes a run longer, ``SOAK_SEED``
another one.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
import threading
import time

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from servers import needed

pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "5"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
BEAT = 0.25
KEYS = 30
PATIENT = 30

# What could not be invalidated is told again after 5 s at most, and is a miss till then.
RECOVERY = 10


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


def faults(proxy, draw):
    """Puts one fault in force."""
    draw.choice(
        [
            lambda: proxy.delay(0.02, jitter=0.02),
            lambda: proxy.delay(0.2, chance=0.1),
            lambda: proxy.bandwidth(20_000),
            lambda: proxy.slices(),
            lambda: proxy.truncate(chance=0.05),
            lambda: proxy.freeze(),
            lambda: proxy.half_open(chance=0.05),
            lambda: proxy.reset(chance=0.05),
            lambda: proxy.cut(draw.randrange(5_000, 50_000)),
            lambda: proxy.refuse(),
            lambda: proxy.hang(chance=0.5),
            lambda: proxy.corrupt(chance=0.05),
            lambda: proxy.swap(chance=0.2),
        ]
    )()
    if draw.random() < 0.25:
        proxy.disconnect()


class Load:
    """Threads and tasks that call what is cached until it is over."""

    def __init__(self, cache, source):
        self.source, self.over, self.raised = source, threading.Event(), []
        self.calls, self.slowest = 0, 0.0

        @cache(name="sync", ttl="1m")
        def of_thread(key: int) -> dict:
            return source.value("sync", key)

        @cache(name="async", ttl="1m")
        async def of_task(key: int) -> dict:
            return source.value("async", key)

        self.of_thread, self.of_task = of_thread, of_task
        self._threads = [threading.Thread(target=self._told, args=(self._call, n)) for n in range(3)]
        self._threads.append(threading.Thread(target=self._told, args=(self._loop, 10)))

    def _told(self, work, seed):
        try:
            work(random.Random(SEED * 1000 + seed))
        except BaseException as error:
            self.raised.append(error)
            self.over.set()

    def _checked(self, value, function, key, floor, begun):
        self.calls += 1
        self.slowest = max(self.slowest, time.monotonic() - begun)
        assert proven(value, function, key) >= floor, f"older than the invalidation: {value['text'][:40]}"

    def _call(self, draw):
        while not self.over.is_set():
            key = draw.randrange(KEYS)
            if draw.random() < 0.05:
                self.source.changed(key, self.of_thread.invalidate)
            floor, begun = self.source.floor[key], time.monotonic()
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

        asyncio.run(main())

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised):
        self.over.set()
        for thread in self._threads:
            thread.join(PATIENT)
        assert not any(thread.is_alive() for thread in self._threads), "a call does not end"


@pytest.mark.parametrize("memory", [False, True], ids=["bare", "memory"])
def test_no_value_is_ever_wrong(memory):
    draw = random.Random(SEED)
    namespace = f"soak{os.getpid()}-{int(memory)}"
    with FaultProxy(needed("EVERWARM_TEST_REDIS"), seed=SEED) as proxy:
        cache = Cache(["memory://", proxy.url] if memory else [proxy.url], namespace=namespace)
        with Load(cache, Source()) as load:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end and not load.raised:
                faults(proxy, draw)
                load.over.wait(BEAT)
                if draw.random() < 0.7:
                    proxy.calm()
            proxy.calm()
        assert load.raised == []
        befallen = {name: proxy.count(name) for name in {deed.fault for deed in proxy.log()}}
        print(f"{load.calls} calls, slowest {load.slowest:.3f} s, {befallen}, {cache.tiers()[-1].errors}")
        assert load.calls > 100 and load.slowest < 5 and len(befallen) > 3

        # It recovers by itself.
        end, hits = time.monotonic() + RECOVERY, 0
        while hits < KEYS and time.monotonic() < end:
            hits = sum(load.of_thread.call(key).status == "hit" for key in range(KEYS))
        assert hits >= 0.9 * KEYS
        cache.clear()
        cache.close()

"""The calls whose costs are measured, of a client alone and of Everwarm, and how they are timed."""

from __future__ import annotations

import asyncio
import gc
import inspect
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import harness
from alone import TTL, Asked, Client
from peers import LeftOut

VALUE = random.Random(0).randbytes(200)
MANY = 100
TIMEOUT = "10s"
COMPUTED = "function, computed and stored"


@dataclass(frozen=True)
class Effort:
    """How much is measured: so many rounds, in each about so long and at most so many calls of each way."""

    rounds: int
    sample_ns: int
    calls: int


FULL = Effort(rounds=7, sample_ns=80_000_000, calls=400)
QUICK = Effort(rounds=2, sample_ns=4_000_000, calls=20)


@dataclass(frozen=True)
class Call:
    """One call by its number, and the verb of a client that it is compared with, if any."""

    run: Callable[[int], Any]
    verb: str = ""
    awaited: bool = False


@dataclass
class Took:
    """What a call took in each round: the median of its wall times, and this process's processor time."""

    wall: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)

    @property
    def micros(self) -> float:
        """Return the median of the rounds, in microseconds."""
        return statistics.median(self.wall) / 1_000

    @property
    def cells(self) -> list[str]:
        """Return both medians as cells of a table."""
        return [f"{m:,.0f}" if m >= 100 else f"{m:.1f}" for m in (self.micros, self.micros_worked)]

    @property
    def micros_worked(self) -> float:
        """Return the same of the processor's time."""
        return statistics.median(self.worked) / 1_000

    def beside(self, other: Took) -> tuple[float, float, float]:
        """Return the quartiles of what it took for each unit of the other's, round by round."""
        return harness.quartiles([own / its for own, its in zip(self.wall, other.wall, strict=True)])


def of_client(client: Client, asked: Asked, names: list[str]) -> dict[str, Call]:
    """Return the calls of a client alone."""
    calls = [
        Call(lambda n: asked.get(names[n % MANY]), "get", client.awaited),
        Call(lambda n: asked.set(names[n % MANY], VALUE), "set", client.awaited),
    ]
    if (get_many := asked.get_many) is not None:
        calls.append(Call(lambda _: get_many(names), "get_many", client.awaited))
    return {client.line(call.verb): call for call in calls}


class Ours:
    """A store alone and a cache on it without memory in front, both under one namespace."""

    def __init__(self, url: str, namespace: str) -> None:
        # Where the private environment is made, there may be no Everwarm yet.
        from everwarm import Cache, Tier
        from everwarm.testing import open_store

        self._prefix = f"{namespace}:"
        self._names = [f"{self._prefix}n{number}" for number in range(MANY)]
        self._store = open_store(url)
        # What answers on the thread that asks has no time limit.
        tier = url if url.startswith(("sqlite:", "disk:", "file:")) else Tier(url, timeout=TIMEOUT)
        self._cache = Cache([tier], namespace=namespace)
        self._computations = 0

    def calls(self) -> dict[str, Call]:
        """Put there what is going to be found, and return the calls by the names of a table's lines."""
        store, cache, names = self._store, self._cache, self._names
        store.set_many([(name, VALUE, TTL) for name in names])
        cache.set_many(dict.fromkeys(names, VALUE), ttl=TTL)

        @cache(name="computed", ttl=TTL)
        def computed(number: int) -> bytes:
            self._computations += 1
            return VALUE

        @cache(name="awaited", ttl=TTL)
        async def awaited(number: int) -> bytes:
            self._computations += 1
            return VALUE

        fresh = count(1)
        return {
            "store.get": Call(lambda n: store.get(names[n % MANY]), "get"),
            "store.set": Call(lambda n: store.set(names[n % MANY], VALUE, TTL), "set"),
            "store.get_many": Call(lambda _: store.get_many(names), "get_many"),
            "cache.get": Call(lambda n: cache.get(names[n % MANY]), "get"),
            "cache.set": Call(lambda n: cache.set(names[n % MANY], VALUE, ttl=TTL), "set"),
            "function, found": Call(lambda _: computed(0), "get"),
            COMPUTED: Call(lambda _: computed(next(fresh))),
            "cache.aget": Call(lambda n: cache.aget(names[n % MANY]), "get", awaited=True),
            "cache.aset": Call(lambda n: cache.aset(names[n % MANY], VALUE, ttl=TTL), "set", awaited=True),
            "async function, found": Call(lambda _: awaited(0), "get", awaited=True),
        }

    def check(self, asked: int) -> None:
        """Insist that nothing failed, and that what was found was computed once; `asked` for new numbers."""
        [tier] = self._cache.tiers()
        if tier.errors or tier.dropped:
            raise LeftOut(f"the store failed meanwhile: {tier.errors}, {tier.dropped} dropped")
        if self._computations != asked + 2:
            raise LeftOut(f"{self._computations} computations in place of {asked + 2}")

    def close(self) -> None:
        """Take out every entry."""
        try:
            self._cache.clear()
            self._store.clear(self._prefix)
        finally:
            self._cache.close()
            self._store.close()


@dataclass
class Clock:
    """Times calls in turns; what is awaited runs on one loop of this thread, one call after another."""

    effort: Effort
    runner: asyncio.AbstractEventLoop
    asked: dict[str, int] = field(default_factory=dict)

    def run(self, answer: Any) -> Any:
        """Return the answer, awaited where it has to be."""
        return self.runner.run_until_complete(_waited(answer)) if inspect.isawaitable(answer) else answer

    def insist(self, name: str, call: Call) -> None:
        """Ask twice, the first time to connect or compute, and insist on what comes back."""
        self._sample(name, call, 2)
        if call.verb == "set":
            return
        found = self.run(call.run(0))
        self.asked[name] += 1
        if call.verb == "get_many":
            right = [_bytes(value) for value in found] == [VALUE] * MANY
        else:
            right = _bytes(found) == VALUE
        if not right:
            raise LeftOut(f"{name} gave something else than was set")

    def measure(self, calls: dict[str, Call]) -> dict[str, Took]:
        """Measure all calls in rounds, each round beginning with another one."""
        counts = {name: self._count(name, call) for name, call in calls.items()}
        took = {name: Took() for name in calls}
        for number in range(self.effort.rounds):
            for name in harness.turns(calls, number):
                self._sample(name, calls[name], max(1, counts[name] // 20))
                gc.collect()
                gc.disable()
                try:
                    wall, worked = self._sample(name, calls[name], counts[name])
                finally:
                    gc.enable()
                took[name].wall.append(wall)
                took[name].worked.append(worked)
        return took

    def _count(self, name: str, call: Call) -> int:
        """Choose how many calls a sample has: fewer of slow ones."""
        wall, _ = self._sample(name, call, 3)
        return max(3, min(self.effort.calls, int(self.effort.sample_ns / wall)))

    def _sample(self, name: str, call: Call, number: int) -> tuple[float, float]:
        """Return the median of the calls' nanoseconds, and the processor's on an average."""
        self.asked[name] = self.asked.get(name, 0) + number
        began = time.process_time_ns()
        spans = self.run(
            (_SAMPLE_AWAITED if call.awaited else _SAMPLE)(call.run, number, time.perf_counter_ns)
        )
        worked = time.process_time_ns() - began
        return statistics.median(spans), worked / number


def _sampler(*, awaited: bool) -> Callable[..., Any]:
    """Compile the loop that times calls one by one."""
    return harness.function(f"""
{"async " if awaited else ""}def sample(run, number, clock):
    spans = []
    for n in range(number):
        began = clock()
        {"await " if awaited else ""}run(n)
        spans.append(clock() - began)
    return spans
""")


_SAMPLE = _sampler(awaited=False)
_SAMPLE_AWAITED = _sampler(awaited=True)


async def _waited(answer: Awaitable[Any]) -> Any:
    """Await what may be no coroutine."""
    return await answer


def _bytes(found: Any) -> Any:
    """Return the bytes of what a store gives with a ttl and a version."""
    return found[0] if isinstance(found, tuple) else found

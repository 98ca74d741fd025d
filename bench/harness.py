"""Fair comparison of small pieces of work: interleaved rounds, one clock, an empty loop subtracted."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

Loop = Callable[[Sequence[Any], int], int]
"""A compiled loop: runs its statement for each key, `passes` times over, and returns nanoseconds."""

EMPTY_LOOP = "(empty loop)"


@dataclass(frozen=True)
class Effort:
    """How much time a measurement may take: `rounds` rounds, in each `sample_ns` per contender."""

    rounds: int
    sample_ns: int
    quick: bool


FULL = Effort(rounds=21, sample_ns=10_000_000, quick=False)
QUICK = Effort(rounds=5, sample_ns=2_000_000, quick=True)


@dataclass(frozen=True)
class Measured:
    """The median of a contender's rounds, and its ratio to the base, both with quartiles."""

    ns: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None


def compile_loop(
    statement: str,
    names: dict[str, Any],
    *,
    awaited: bool = False,
    clock: Callable[[], int] = time.thread_time_ns,
) -> Callable[..., Any]:
    """Compile a loop with the statement in its body, so that no call but the measured one is timed.

    The names are locals of the loop; the key of each turn is `x`. With `awaited` it is a coroutine function.
    """
    source = f"""
{"async " if awaited else ""}def loop({", ".join(("keys", "passes", "clock", *names))}):
    start = clock()
    for _ in range(passes):
        for x in keys:
            {statement}
    return clock() - start
"""
    loop = function(source)
    return lambda keys, passes: loop(keys, passes, clock, **names)


def compile_results(statement: str, names: dict[str, Any], *, awaited: bool = False) -> Callable[..., Any]:
    """Compile the same statement to give the results of one pass, for the check before a measurement."""
    results = function(
        f"{'async ' if awaited else ''}def results({', '.join(('keys', *names))}):\n"
        f"    return [{statement} for x in keys]"
    )
    return lambda keys: results(keys, **names)


def function(source: str) -> Callable[..., Any]:
    """Make the one function that the source defines."""
    module = compile(source, "<measured>", "exec")
    return FunctionType(next(code for code in module.co_consts if isinstance(code, CodeType)), {})


@dataclass(frozen=True)
class _Plan:
    """How one contender is sampled: chunks of the keys, one per round, each gone through `passes` times."""

    loop: Loop
    chunks: list[Sequence[Any]]
    passes: int

    def sample(self, round_number: int) -> float:
        """Return nanoseconds per call; an untimed pass first undoes what the contender before left behind."""
        keys = self.chunks[round_number % len(self.chunks)]
        self.loop(keys, 1)
        return self.loop(keys, self.passes) / (len(keys) * self.passes)


def _plan(loop: Loop, keys: Sequence[Any], effort: Effort) -> _Plan:
    """Choose chunks and passes for samples of about `sample_ns`; who is slow sees 100 keys a round, or 10."""
    if _cost(loop, keys[:10]) * len(keys) > 100 * effort.sample_ns:
        return _Plan(loop, _chunks(keys, 10), 1)
    loop(keys, 1)
    cost = _cost(loop, keys[:100])
    chunks = [keys] if cost * len(keys) <= 4 * effort.sample_ns else _chunks(keys, 100)
    return _Plan(loop, chunks, max(1, int(effort.sample_ns / (cost * len(chunks[0])))))


def _cost(loop: Loop, keys: Sequence[Any]) -> float:
    """Return nanoseconds per call, after an untimed pass."""
    loop(keys, 1)
    return max(loop(keys, 1) / len(keys), 1.0)


def _chunks(keys: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Cut the keys into parts of that size."""
    return [keys[i : i + size] for i in range(0, len(keys), size)]


def interleave(loops: dict[str, Loop], keys: Sequence[Any], effort: Effort) -> dict[str, list[float]]:
    """Measure all loops in rounds A B C ... A B C ..., each round beginning with another one.

    The collector runs between rounds only. Returns nanoseconds per call, one figure per round.
    """
    plans = {name: _plan(loop, keys, effort) for name, loop in loops.items()}
    times: dict[str, list[float]] = {name: [] for name in plans}
    was_enabled = gc.isenabled()
    try:
        for number in range(effort.rounds):
            gc.collect()
            gc.disable()
            for name in turns(plans, number):
                times[name].append(plans[name].sample(number))
            gc.enable()
    finally:
        (gc.enable if was_enabled else gc.disable)()
    return times


def turns(names: Iterable[str], number: int) -> list[str]:
    """Return the order of a round: each begins with another contender."""
    order = list(names)
    first = number % len(order)
    return order[first:] + order[:first]


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the lower quartile, the median and the upper quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def compare(times: dict[str, list[float]], base: str) -> dict[str, Measured]:
    """Subtract each round's empty loop and compare each contender with the base, round by round."""
    empty = times[EMPTY_LOOP]
    net = {
        name: [max(t - e, 0.1) for t, e in zip(rounds, empty, strict=True)]
        for name, rounds in times.items()
        if name != EMPTY_LOOP
    }
    reference = net.get(base)
    measured = {}
    for name, rounds in net.items():
        ns = statistics.median(rounds)
        if reference is None:
            measured[name] = Measured(ns, None, None, None)
        else:
            low, middle, high = quartiles([t / b for t, b in zip(rounds, reference, strict=True)])
            measured[name] = Measured(ns, middle, low, high)
    return measured

"""What all rows about hits share: decorate, check that a hit is a hit, measure, and lay out the table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import harness
from harness import EMPTY_LOOP, Effort, Loop, Measured
from peers import PEERS, Attempt, LeftOut, Peer
from report import Table, Verdict

Names = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """One kind of call. `contender` gives the names in the statement; its function counts computations.

    `warm_keys` and `keys` are equal but not the same objects, as in a program that computes them anew.
    """

    statement: str
    warm_keys: Sequence[Any]
    keys: Sequence[Any]
    contender: Callable[[Peer, list[Any]], Names]
    expected: Callable[[Any], Any]
    awaited: bool = False
    others: dict[str, Names] = field(default_factory=dict)
    # Gives the value to check, where the statement itself does not.
    checked: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was measured, each contender's ratio to Everwarm, and who was left out and why."""

    measured: dict[str, Measured]
    to_everwarm: dict[str, float | None]
    left_out: dict[str, str]


def run_hits(work: Work, base: str, effort: Effort) -> Outcome:
    """Measure a hit of every peer that can do this work."""
    if not work.awaited:
        return _run(work, base, effort, _identity)
    loop = asyncio.new_event_loop()
    # Libraries that start their own tasks expect the loop that will run them to be the current one.
    asyncio.set_event_loop(loop)
    try:
        return _run(work, base, effort, loop.run_until_complete)
    finally:
        loop.run_until_complete(_cancel_others())
        asyncio.set_event_loop(None)
        loop.close()


def _identity(value: Any) -> Any:
    """Return what a loop that is no coroutine gave."""
    return value


async def _cancel_others() -> None:
    """Cancel the background tasks that peers have left on the loop."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _run(work: Work, base: str, effort: Effort, run: Callable[[Any], Any]) -> Outcome:
    """Check and compile every contender, then measure all of them interleaved."""
    loops: dict[str, Loop] = {EMPTY_LOOP: _loop("pass", {}, work, run)}
    left_out: dict[str, str] = {}
    for name, names in work.others.items():
        loops[name] = _loop(work.statement, names, work, run)
    for peer in PEERS:
        computed: list[Any] = []
        with Attempt(peer.name, left_out):
            names = work.contender(peer, computed)
            check_hits(work, names, computed, run)
            loops[peer.name] = _loop(work.statement, names, work, run)
    times = harness.interleave(loops, work.keys, effort)
    to_everwarm = {name: m.ratio for name, m in harness.compare(times, "everwarm").items()}
    return Outcome(harness.compare(times, base), to_everwarm, left_out)


def _loop(statement: str, names: Names, work: Work, run: Callable[[Any], Any]) -> Loop:
    """Compile the measured loop and close over what runs it."""
    compiled = harness.compile_loop(statement, names, awaited=work.awaited)
    return lambda keys, passes: run(compiled(keys, passes))


def check_hits(work: Work, names: Names, computed: list[Any], run: Callable[[Any], Any] = _identity) -> None:
    """Fill the cache and insist that all that follows are hits with the right values."""
    checked = work.checked or work.statement
    results = harness.compile_results(checked, names, awaited=work.awaited)
    for keys in (work.warm_keys, work.keys):
        before = len(computed)
        for key, value in zip(keys, run(results(keys)), strict=True):
            if value != work.expected(key):
                raise LeftOut(f"wrong value: {value!r} for {key!r}")
    again = len(computed) - before
    if again:
        raise LeftOut(
            f"does not hit: {again:,} of {len(work.keys):,} calls with equal arguments computed again"
        )


def ns(value: float) -> str:
    """Format nanoseconds with three significant figures or so."""
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def ratio(value: float | None) -> str:
    """Format a ratio."""
    if value is None:
        return "–"
    return f"{value:,.2f}" if value < 10 else f"{value:,.0f}"


def tabulate(row: int, title: str, base: str, outcome: Outcome, verdict: Verdict) -> Table:
    """Lay out what was measured, the fastest first."""
    lines = []
    for name, m in sorted(outcome.measured.items(), key=lambda item: item[1].ns):
        spread = "–" if m.ratio is None else f"{ratio(m.ratio_low)}–{ratio(m.ratio_high)}"
        lines.append((name, ns(m.ns), ratio(m.ratio), spread, ratio(outcome.to_everwarm[name])))
    columns = ("", "ns per call", f"× {base}", "quartiles", "× everwarm")
    return Table(row, title, verdict, columns, lines, outcome.left_out)


def ratio_verdict(outcome: Outcome, base: str, limit: float) -> Verdict:
    """Judge Everwarm's ratio to the base."""
    text = f"≤ {limit:g} × {base}"
    own = outcome.measured.get("everwarm")
    if own is None or own.ratio is None:
        return Verdict(text, absence(outcome), None)
    reached = f"{own.ratio:.2f} × ({own.ratio_low:.2f}–{own.ratio_high:.2f})"
    return Verdict(text, reached, own.ratio <= limit)


def time_verdict(outcome: Outcome, limit_ns: float) -> Verdict:
    """Judge Everwarm's time for one hit."""
    text = f"≤ {limit_ns / 1000:.1f} µs"
    own = outcome.measured.get("everwarm")
    if own is None:
        return Verdict(text, absence(outcome), None)
    return Verdict(text, f"{own.ns / 1000:.2f} µs", own.ns <= limit_ns)


def absence(outcome: Outcome) -> str:
    """Say why Everwarm was not measured."""
    return "not measured: everwarm " + outcome.left_out.get("everwarm", "was left out")

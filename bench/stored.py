"""What the rows about stores on disk share: open them, check them, measure, and lay out."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
from harness import EMPTY_LOOP, Effort, Loop
from hits import ratio
from peers import Attempt, LeftOut
from report import Table, Verdict
from stores import BASE, BEHIND_MEMORY, EVERWARM, STORES, Opened, Store

SCRATCH = Path(__file__).resolve().parent.parent / ".cache" / "bench-stores"
KEYS = 1_000


@dataclass
class Contest:
    """The stores of one table, opened until the block ends, and those that cannot take part."""

    directory: Path
    bound: int
    runner: asyncio.AbstractEventLoop
    closing: ExitStack
    loops: dict[str, Loop] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def enter(self, statement: Callable[[Opened], str], check: Check, **names: Any) -> None:
        """Open and check every store, and compile the loop of its statement."""
        for store in STORES:
            with Attempt(store.name, self.left_out):
                place = self.directory / "".join(filter(str.isalnum, store.name))
                place.mkdir(mode=0o700)
                opened = store.opened(place, self.bound)
                self.closing.callback(opened.close)
                known = Known(opened, self.runner)
                check(store, known)
                self.loops[store.name] = known.loop(statement(opened), **names)

    def measure(
        self, keys: Sequence[str], effort: Effort, empty: str, **names: Any
    ) -> dict[str, list[float]]:
        """Measure what entered, in wall time, since a store may wait; the empty statement is subtracted."""
        nothing = harness.compile_loop(empty, names, clock=time.perf_counter_ns)
        return harness.interleave({EMPTY_LOOP: nothing, **self.loops}, keys, effort)


@dataclass(frozen=True)
class Known:
    """An open store, and what runs its verbs where they are coroutines."""

    opened: Opened
    runner: asyncio.AbstractEventLoop

    def results(self, statement: str, keys: Sequence[str], **names: Any) -> list[Any]:
        """Return what the statement gives for each key."""
        awaited = self.opened.awaited
        given = harness.compile_results(statement, {**self.opened.names, **names}, awaited=awaited)(keys)
        return self.runner.run_until_complete(given) if awaited else given

    def loop(self, statement: str, **names: Any) -> Loop:
        """Compile the measured loop."""
        awaited = self.opened.awaited
        every = {**self.opened.names, **names}
        compiled = harness.compile_loop(statement, every, awaited=awaited, clock=time.perf_counter_ns)
        if not awaited:
            return compiled
        return lambda keys, passes: self.runner.run_until_complete(compiled(keys, passes))


Check = Callable[[Store, Known], None]
"""Fills a store, and leaves it out if it gives anything but what was put."""


@contextmanager
def contest(bound: int) -> Iterator[Contest]:
    """Give a contest on a fresh directory; all that it wrote is removed at its end."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with ExitStack() as closing:
        directory = closing.enter_context(tempfile.TemporaryDirectory(dir=SCRATCH, prefix="row-"))
        runner = asyncio.new_event_loop()
        closing.callback(runner.close)
        closing.callback(lambda: runner.run_until_complete(runner.shutdown_default_executor()))
        yield Contest(Path(directory), bound, runner, closing)


def content(key: str, size: int) -> bytes:
    """Return bytes that no compression shortens, others for each key."""
    return random.Random(key).randbytes(size)


def insist(key: str, got: object, expected: bytes) -> None:
    """Leave a store out that does not give what was put."""
    if got is None:
        raise LeftOut(f"lost {key!r}, which was just put")
    if got != expected:
        raise LeftOut(f"wrong value for {key!r}")


def tabulate(row: int, title: str, limit: float, contest: Contest, times: dict[str, list[float]]) -> Table:
    """Lay out what was measured, the fastest first; speeds are beside the base's."""
    lines, speeds = [], {}
    for name, m in sorted(harness.compare(times, BASE).items(), key=lambda item: item[1].ns):
        speed = None
        if m.ratio and m.ratio_low and m.ratio_high:
            speed = speeds[name] = (1 / m.ratio_high, 1 / m.ratio, 1 / m.ratio_low)
        spread = f"{ratio(speed[0])}–{ratio(speed[2])}" if speed else "–"
        lines.append((name, f"{m.ns / 1_000:,.2f}", ratio(speed[1] if speed else None), spread))
    columns = ("", "µs per call", f"× as fast as {BASE}", "quartiles")
    verdict = _verdict(limit, speeds, contest.left_out)
    return Table(row, title, verdict, columns, lines, contest.left_out, notes(contest.loops))


def _verdict(limit: float, speeds: dict[str, tuple[float, ...]], left_out: dict[str, str]) -> Verdict:
    """Judge Everwarm's speed beside the base's, without memory in front."""
    text = f"≥ {limit:g} × as fast as {BASE}"
    absent = [f"{name} {left_out[name]}" for name in (EVERWARM.name, BASE) if name in left_out]
    if absent:
        return Verdict(text, f"not measured: {'; '.join(absent)}", None)
    low, middle, high = speeds[EVERWARM.name]
    reached = f"{ratio(middle)} × ({ratio(low)}–{ratio(high)})"
    if BEHIND_MEMORY.name in speeds:
        reached += f"; {ratio(speeds[BEHIND_MEMORY.name][1])} × with memory in front"
    return Verdict(text, reached, middle >= limit)


def notes(names: Sequence[str] | dict[str, Any]) -> tuple[str, ...]:
    """Say what those of the table do not do, and on what they were measured."""
    lacks: dict[str, list[str]] = {}
    for store in STORES:
        if store.name in names:
            for lack in store.without:
                lacks.setdefault(lack, []).append(store.name)
    said = tuple(f"Without {lack}: {', '.join(who)}." for lack, who in lacks.items())
    place = f"Wall time; the files lie on {filesystem(SCRATCH)} and in the system's page cache."
    extra = tuple(f"{store.name} {store.more}." for store in STORES if store.more and store.name in names)
    return (place, *said, *extra)


def filesystem(place: Path) -> str:
    """Return the kind of file system that a directory is on."""
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return "a file system of unknown kind"
    above = [(len(mount[1]), mount[2]) for mount in mounts if place.is_relative_to(mount[1])]
    return max(above)[1] if above else "a file system of unknown kind"

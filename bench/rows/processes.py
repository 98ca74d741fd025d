"""Row 14: eight processes on one directory, nine gets to a set, every value proving itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import crowd
import harness
from harness import Effort
from hits import ratio
from peers import Attempt, LeftOut
from report import Table, Verdict
from stored import contest, notes
from stores import BASE, BEHIND_MEMORY, BOUND, EVERWARM, STORES, Opened, Store

BENCH = Path(__file__).resolve().parent.parent
PROCESSES = 8
LIMIT = 3.0
# Between the last one's readiness and the common start.
PAUSE_S = 0.3
PATIENCE_S = 60


@dataclass(frozen=True)
class Crowd:
    """Operations per second of all processes together, and what they read that they should not have."""

    speed: float
    wrong: int
    lost: int


def gather(store: Store, directory: Path, seconds: float) -> Crowd:
    """Fill a store, let all processes work on it at once, and look at what they left behind."""
    directory.mkdir(mode=0o700)
    opened = store.opened(directory, BOUND)
    put = harness.compile_results(f"(value := prove(x, 0, 0), {opened.put})[1]", {**opened.names, **FILL})
    put([crowd.key(number) for number in range(crowd.KEYS)])
    opened.close()
    told = _run(store, directory, seconds)
    opened = store.opened(directory, BOUND)
    try:
        undone = _undone(opened, [each["own"] for each in told])
    finally:
        opened.close()
    elapsed = max(each["ended"] for each in told) - min(each["began"] for each in told)
    speed = sum(each["operations"] for each in told) / elapsed
    return Crowd(speed, sum(each["wrong"] for each in told), sum(each["lost"] for each in told) + undone)


FILL = {"prove": crowd.prove}


def _run(store: Store, directory: Path, seconds: float) -> list[dict[str, Any]]:
    """Start the processes, give them a common instant to begin at, and return what they tell."""
    command = [sys.executable, "crowd.py", store.name, str(directory)]
    with ExitStack() as ending:
        children = []
        for writer in range(1, PROCESSES + 1):
            child = subprocess.Popen(
                [*command, str(writer), str(seconds)],
                cwd=BENCH,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            ending.callback(_end, child)
            children.append(child)
        # A child that failed says nothing here, and why below.
        for child in children:
            child.stdout.readline()
        start = str(time.monotonic() + PAUSE_S)
        told = []
        for child in children:
            if child.poll() is None:
                child.stdin.write(start + "\n")
                child.stdin.flush()
        for child in children:
            said, complaint = child.communicate(timeout=seconds + PATIENCE_S)
            if child.returncode:
                raise LeftOut(f"a process failed: {(complaint.strip().splitlines() or ['no message'])[-1]}")
            told.append(json.loads(said.splitlines()[-1]))
    return told


def _end(child: subprocess.Popen[str]) -> None:
    """Leave no process behind."""
    if child.poll() is None:
        child.kill()
    child.communicate()


def _undone(opened: Opened, own: list[dict[str, int]]) -> int:
    """Count keys whose value is not the last set of any process: some acknowledged set was lost."""
    names = [crowd.key(number) for number in range(crowd.KEYS)]
    found = harness.compile_results(opened.get, opened.names)(names)
    undone = 0
    for name, value in zip(names, found, strict=True):
        last = {(writer, sets[name]) for writer, sets in enumerate(own, 1) if name in sets} or {(0, 0)}
        undone += crowd.proven(name, value) not in last
    return undone


def measure(effort: Effort) -> list[Table]:
    """Let one store after another have the machine, in rounds, each time in a fresh directory."""
    rounds, seconds = (1, 0.5) if effort.quick else (5, 2.0)
    taking_part = {store.name: store for store in STORES if store is not BEHIND_MEMORY}
    crowds: dict[str, list[Crowd]] = {name: [] for name in taking_part}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        for name in harness.turns(taking_part, number):
            if name in left_out:
                continue
            with Attempt(name, left_out), contest(BOUND) as place:
                if taking_part[name].alone:
                    raise LeftOut(taking_part[name].alone)
                crowds[name].append(gather(taking_part[name], place.directory / "crowd", seconds))
    return [_table({name: each for name, each in crowds.items() if name not in left_out}, left_out)]


def _table(crowds: dict[str, list[Crowd]], left_out: dict[str, str]) -> Table:
    """Lay out speeds and what went wrong, the fastest first."""
    lines, speeds = [], {}
    base = crowds.get(BASE)
    for name, each in sorted(crowds.items(), key=lambda item: -max(c.speed for c in item[1])):
        low, middle, high = _quartiles([c.speed for c in each])
        beside = [c.speed / b.speed for c, b in zip(each, base, strict=True)] if base else []
        speeds[name] = _quartiles(beside)[1] if beside else None
        spread = f"{low / 1e3:,.1f}–{high / 1e3:,.1f}"
        faults = [str(sum(c.wrong for c in each)), str(sum(c.lost for c in each))]
        lines.append((name, f"{middle / 1e3:,.1f}", spread, ratio(speeds[name]), *faults))
    columns = ("", "thousands per second", "quartiles", f"× {BASE}", "wrong reads", "lost")
    title = f"disk, {PROCESSES} processes, 90 % get, {crowd.KEYS:,} keys of {crowd.SIZE} B"
    said = "Lost: a key that was put and is gone, or a set that was acknowledged and later undone."
    return Table(
        14, title, _verdict(crowds, speeds, left_out), columns, lines, left_out, (said, *notes(crowds))
    )


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    """Return the quartiles, also of one value."""
    return harness.quartiles(values) if len(values) > 1 else (values[0],) * 3


def _verdict(
    crowds: dict[str, list[Crowd]], speeds: dict[str, float | None], left_out: dict[str, str]
) -> Verdict:
    """Judge Everwarm's speed beside the base's, and that it gave nothing wrong."""
    limit = f"≥ {LIMIT:g} × {BASE}, no wrong or lost read"
    absent = [f"{name} {left_out[name]}" for name in (EVERWARM.name, BASE) if name in left_out]
    own = speeds.get(EVERWARM.name)
    if absent or own is None:
        return Verdict(limit, f"not measured: {'; '.join(absent)}", None)
    wrong, lost = (sum(getattr(c, kind) for c in crowds[EVERWARM.name]) for kind in ("wrong", "lost"))
    return Verdict(limit, f"{ratio(own)} ×, {wrong} wrong, {lost} lost", own >= LIMIT and not wrong + lost)

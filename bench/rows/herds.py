"""Row 19: eight processes of fifty callers ask for one entry in Redis that takes 100 ms to compute."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import herd
from harness import Effort
from peers import Attempt, LeftOut
from report import Table, Verdict
from servers import served

BENCH = Path(__file__).resolve().parent.parent
PROCESSES = 8
CALLERS = 50
LIMIT_MS = 100.0
# Between the word to begin and the common instant.
PAUSE_S = 0.3
PATIENCE_S = 30.0


@dataclass(frozen=True)
class Stampede:
    """How often the function ran, and the time beyond one computation until the last caller had its value."""

    computations: int
    overhead_ms: float


class Child:
    """One process, whose lines are read behind our back, so that a wait for one can end."""

    def __init__(self, library: str, way: str, url: str) -> None:
        command = [sys.executable, "herd.py", library, way, url, str(CALLERS)]
        self.process = subprocess.Popen(
            command,
            cwd=BENCH,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put("")

    def line(self) -> str:
        """Return its next line, or leave the library out with the reason why there is none."""
        try:
            line = self.lines.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise LeftOut(f"callers still wait after {PATIENCE_S:.0f} s") from None
        if not line:
            complaint = (self.process.communicate()[1].strip().splitlines() or ["no message"])[-1]
            raise LeftOut(f"a process failed: {complaint}")
        return line

    def begin(self, number: int, instant: float) -> None:
        """Let it begin a round at that instant."""
        self.process.stdin.write(f"{number} {instant}\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Leave no process behind."""
        self.process.kill()
        self.process.communicate()


@contextmanager
def crowd(library: str, way: str, url: str) -> Iterator[list[Child]]:
    """Give processes that are ready."""
    with ExitStack() as ending:
        children = []
        for _ in range(PROCESSES):
            child = Child(library, way, url)
            ending.callback(child.end)
            children.append(child)
        for child in children:
            child.line()
        yield children


def stampede(children: list[Child], number: int) -> Stampede:
    """Let all call for one number at once."""
    instant = time.monotonic() + PAUSE_S
    for child in children:
        child.begin(number, instant)
    told: list[dict[str, Any]] = [json.loads(child.line()) for child in children]
    failed = sum(each["failed"] for each in told)
    if failed:
        error = next(each["errors"][0] for each in told if each["errors"])
        raise LeftOut(f"{failed} of {PROCESSES * CALLERS} callers got {error}")
    if any(each["wrong"] for each in told):
        raise LeftOut("callers did not get the right value")
    elapsed = max(each["ended"] for each in told) - instant
    return Stampede(sum(each["computations"] for each in told), (elapsed - herd.WORK_S) * 1_000)


def measure(effort: Effort) -> list[Table]:
    """Measure threads, then tasks; one library after the other has the machine."""
    rounds = 3 if effort.quick else 9
    tables = []
    for way, libraries in herd.WAYS.items():
        results: dict[str, list[Stampede]] = {}
        left_out: dict[str, str] = {}
        for library in libraries:
            with Attempt(library, left_out), served() as server, crowd(library, way, server.url) as children:
                results[library] = [stampede(children, number) for number in range(rounds)]
        tables.append(_table(way, results, left_out))
    return tables


def _table(way: str, results: dict[str, list[Stampede]], left_out: dict[str, str]) -> Table:
    """Lay out the results: who computed once comes first, then by overhead."""
    overhead = {name: harness.quartiles([s.overhead_ms for s in each]) for name, each in results.items()}
    worst = {name: max(s.computations for s in each) for name, each in results.items()}
    lines = []
    for name in sorted(results, key=lambda name: (worst[name] > 1, overhead[name][1])):
        low, middle, high = overhead[name]
        lines.append((name, f"{worst[name]:,}", f"{middle:,.1f}", f"{low:,.1f}–{high:,.1f}"))
    limit = f"exactly 1 computation, overhead ≤ {LIMIT_MS:.0f} ms"
    verdict = Verdict(limit, f"not measured: everwarm {left_out.get('everwarm', '')}", None)
    if "everwarm" in results:
        own = overhead["everwarm"][1]
        reached = f"{worst['everwarm']} computation(s), {own:.1f} ms"
        verdict = Verdict(limit, reached, worst["everwarm"] == 1 and own <= LIMIT_MS)
    columns = ("", "computations (worst)", "overhead, ms", "quartiles")
    title = f"Redis, stampede of {PROCESSES} processes × {CALLERS} {way}"
    return Table(19, title, verdict, columns, lines, left_out)

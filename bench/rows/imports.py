"""Row 20: what importing costs over a bare interpreter, and what it drags in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import harness
from harness import Effort
from peers import PEERS
from report import Table, Verdict

LIMIT_MS = 20.0
HEAVY = ("asyncio", "inspect", "dataclasses", "typing")
FORBIDDEN = ("asyncio", "inspect", "dataclasses")
BARE = "(bare interpreter)"


def start(code: str) -> tuple[float, float]:
    """Run a fresh interpreter and return milliseconds of processor time and of wall time."""
    begin = time.perf_counter()
    child = subprocess.Popen([sys.executable, "-I", "-c", code])
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    return (usage.ru_utime + usage.ru_stime) * 1_000, wall * 1_000


def dragged_in(module: str) -> list[str] | str:
    """Return which heavy modules the import brings, or why it fails."""
    code = f"import json, sys, {module}; print(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no message"])[-1]
    return json.loads(done.stdout.splitlines()[-1])


def measure(effort: Effort) -> list[Table]:
    """Start interpreters in turn, a bare one and one per library in each round."""
    rounds = 5 if effort.quick else 15
    codes, heavy, left_out = {BARE: "pass"}, {BARE: dragged_in("sys")}, {}
    for name, module in {peer.distribution: peer.module for peer in PEERS}.items():
        found = dragged_in(module)
        if isinstance(found, str):
            left_out[name] = f"cannot be imported: {found}"
        elif name:  # The standard library's peer has no distribution of its own.
            codes[name], heavy[name] = f"import {module}", found
    names = list(codes)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(start(codes[name]))
    bare = times.pop(BARE)
    lines, cost = [], {}
    for name, pairs in times.items():
        processor = harness.quartiles([own[0] - base[0] for own, base in zip(pairs, bare, strict=True)])
        wall = harness.quartiles([own[1] - base[1] for own, base in zip(pairs, bare, strict=True)])
        cost[name] = processor[1], wall[1]
        brings = ", ".join(heavy[name]) or "none"
        spread = f"{processor[0]:.1f}–{processor[2]:.1f}"
        lines.append((name, f"{processor[1]:.1f}", spread, f"{wall[1]:.1f}", brings))
    lines.sort(key=lambda line: float(line[1]))
    columns = ("", "processor, ms", "quartiles", "wall, ms", "brings in")
    note = (
        f"Over a bare interpreter (`python -I -c pass`: {harness.quartiles([b[0] for b in bare])[1]:.1f} ms)."
    )
    verdict = _verdict(cost, heavy, left_out)
    return [Table(20, "import", verdict, columns, lines, left_out, (note,))]


def _verdict(
    cost: dict[str, tuple[float, float]], heavy: dict[str, list[str] | str], left_out: dict[str, str]
) -> Verdict:
    """Judge the time and the absence of the modules that alone cost more than is allowed."""
    limit = f"≤ {LIMIT_MS:.0f} ms, none of {', '.join(FORBIDDEN)}"
    if "everwarm" not in cost:
        return Verdict(limit, f"not measured: everwarm {left_out['everwarm']}", None)
    processor, wall = cost["everwarm"]
    brought = [m for m in FORBIDDEN if m in heavy["everwarm"] and m not in heavy[BARE]]
    reached = f"{processor:.1f} ms ({wall:.1f} wall), brings in {', '.join(brought) or 'none of them'}"
    return Verdict(limit, reached, processor <= LIMIT_MS and not brought)

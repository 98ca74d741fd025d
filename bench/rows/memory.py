"""Row 9: memory for each entry, an int under which 16 bytes lie; each candidate in an interpreter of its own.

`python -m rows.memory NAME COUNT` is that interpreter: it fills one table and prints what it cost.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path

import harness
from harness import Effort
from peers import PEERS, Attempt, Held, LeftOut
from report import Table, Verdict

BASE = "dict"
LIMIT = 30.0
BENCH = Path(__file__).resolve().parent.parent


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError as error:
        raise LeftOut(f"this system does not say what is in memory: {error}") from error
    return pages * os.sysconf("SC_PAGE_SIZE")


def table(name: str, count: int) -> Held:
    """Make the table of that name with room for `count` entries."""
    if name == BASE:
        plain: dict[int, bytes] = {}
        return Held(plain.get, plain.__setitem__)
    return next(peer for peer in PEERS if peer.name == name).table(count, None)


def fill(name: str, count: int) -> float:
    """Fill a table and return the bytes for each entry that it then holds; key and value are part of them."""
    held = table(name, count)
    gc.collect()
    before = resident()
    for number in range(count):
        held.put(number, number.to_bytes(16, "little"))
    gc.collect()
    after = resident()
    there = sum(not eval(held.missing, {"get": held.get, "x": number}) for number in range(0, count, 100))
    if not there:
        raise LeftOut("holds nothing of what was put into it")
    return (after - before) / (count * there / len(range(0, count, 100)))


def ask(name: str, count: int) -> float:
    """Have a fresh interpreter fill a table."""
    command = [sys.executable, "-m", "rows.memory", name, str(count)]
    done = subprocess.run(command, cwd=BENCH, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise LeftOut(said.removeprefix("peers.LeftOut: "))
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure(effort: Effort) -> list[Table]:
    """Ask for each candidate in turn, several times over."""
    count, rounds = (50_000, 2) if effort.quick else (1_000_000, 3)
    names = [BASE, *(peer.name for peer in PEERS)]
    bytes_each: dict[str, list[float]] = {name: [] for name in names}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        for name in harness.turns(names, number):
            if name not in left_out:
                with Attempt(name, left_out):
                    bytes_each[name].append(ask(name, count))
    medians = {n: harness.quartiles(list_)[1] for n, list_ in bytes_each.items() if n not in left_out}
    base = medians.get(BASE)
    lines = []
    for name, each in sorted(medians.items(), key=lambda item: item[1]):
        over = "–" if base is None else f"{each - base:+,.0f}"
        low, _, high = harness.quartiles(bytes_each[name])
        lines.append((name, f"{each:,.0f}", over, f"{low:,.0f}–{high:,.0f}"))
    columns = ("", "bytes per entry", f"over {BASE}", "quartiles")
    title = f"memory per entry, {count:,} of int → 16 bytes"
    note = "Key and value objects included; entries that a candidate did not keep are not counted."
    return [Table(9, title, _verdict(medians, left_out), columns, lines, left_out, (note,))]


def _verdict(medians: dict[str, float], left_out: dict[str, str]) -> Verdict:
    """Judge the bytes beyond a dict's."""
    limit = f"≤ {BASE} + {LIMIT:.0f} B"
    if "everwarm" not in medians or BASE not in medians:
        reasons = [left_out[name] for name in ("everwarm", BASE) if name in left_out]
        return Verdict(limit, f"not measured: {'; '.join(reasons)}", None)
    over = medians["everwarm"] - medians[BASE]
    return Verdict(limit, f"{BASE} {over:+.0f} B", over <= LIMIT)


if __name__ == "__main__":
    print(json.dumps(fill(sys.argv[1], int(sys.argv[2]))))

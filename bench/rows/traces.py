"""Row 8: hit ratios on recorded requests, played by `crates/everwarm-simulator`.

`EVERWARM_TRACES` names the folder of the traces; without it `BENCH_TRACES` does, or it is `traces` in the
checkout.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from harness import Effort
from report import Table, Verdict

ROOT = Path(__file__).resolve().parent.parent.parent
CRATE = ROOT / "crates" / "everwarm-simulator"
OWN = ("adaptive", "everwarm")
RIVALS = ("lru", "w-tinylfu")
TOLERATED = 0.5
LIMIT = f"≥ max(LRU, W-TinyLFU) − {TOLERATED} point on each trace that is long enough"


def play(folder: Path) -> str:
    """Run the simulator and return its table; an error says why that cannot be."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "ratios.md"
        command = ["cargo", "run", "--quiet", "--release", "--package", CRATE.name, "--"]
        done = subprocess.run(
            [*command, "--traces", str(folder), "--markdown", str(file)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not file.exists():
            lines = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            raise OSError((lines or ["the simulator wrote nothing"])[0])
        return file.read_text(encoding="utf-8")


def measure(effort: Effort) -> list[Table]:
    """Play the traces, if simulator and traces are there."""
    named = os.environ.get("EVERWARM_TRACES") or os.environ.get("BENCH_TRACES")
    folder = Path(named or ROOT / "traces")
    for needed in (CRATE, folder):
        if not needed.is_dir():
            shown = needed.relative_to(ROOT) if needed.is_relative_to(ROOT) else needed
            return [_absent(f"{shown} is not there")]
    try:
        return [_table(play(folder))]
    except OSError as error:
        return [_absent(str(error))]


def _absent(reason: str) -> Table:
    """Say why the row was not measured."""
    return Table(8, "hit ratio on traces", Verdict(LIMIT, f"not measured: {reason}", None), (), ())


def _table(markdown: str) -> Table:
    """Read the simulator's table: texts first, then one column of hits in a hundred for each player."""
    rows = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in markdown.splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    columns, lines = rows[0], rows[1:]
    title = "hit ratio on traces, in a hundred"
    named = [column.lower() for column in columns]
    own = next((named.index(name) for name in OWN if name in named), None)
    rivals = [named.index(name) for name in RIVALS if name in named]
    if own is None or len(rivals) < len(RIVALS):
        return Table(8, title, Verdict(LIMIT, "not judged: a player is missing", None), columns, lines)
    ahead = [
        (float(line[own]) - max(float(line[rival]) for rival in rivals), line[0], line[1])
        for line in lines
        if "(short)" not in line[0]
    ]
    if not ahead:
        return Table(8, title, Verdict(LIMIT, "not judged: every trace is too short", None), columns, lines)
    least, trace, size = min(ahead)
    reached = f"{least:+.1f} at least ({trace}, {size}), over {len(ahead)} cases"
    return Table(8, title, Verdict(LIMIT, reached, least >= -TOLERATED), columns, lines)

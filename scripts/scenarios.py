"""Writes docs/reference/reliability.md from the log of a run of the tests.

``make test`` leaves that log: ``python scripts/scenarios.py .cache/test/scenarios.log`` writes the page. It
has a line of JSON for each scenario that ran. By hand the same is ``SCENARIOS_LOG=log CI=true`` before
``pytest tests/reliability tests/secure`` and before ``cargo nextest run``.
"""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/reliability.md"

# What each is, and its figure in every run of the tests.
SCENARIOS = {
    "N2": ("a server is killed and started again, under load", "20 times"),
    "N3": ("a server is frozen, half-open, or one socket is stuck, under load", "20 times"),
    "N5": ("requests are given up and replies change places: none crosses over", "100,000 requests"),
    "N6": ("50 processes lose their server at once and come back apart", "once"),
    "R1": ("the master that sentinels watch is killed, under load", "3 times"),
    "R2": ("a master of a cluster is killed, under load", "3 times"),
    "R3": ("slots of a cluster move, under load", "3 times"),
    "S2": ("8 processes with 50 callers each want one value: one computation", "30 times"),
    "S4": ("the process that computes is killed or frozen: one takeover, its late value refused", "10 times"),
    "X1": ("a process that writes is killed: each acknowledged set is there and whole", "200 kills in CI"),
    "X2": ("a process is killed at one system call after the other: all is whole", "all calls in CI"),
    "X5": ("each byte of envelopes or files is flipped, zeroed, cut", "100 envelopes; 4 KiB in CI"),
    "X7": ("8 processes on one directory, killed at random: none reads a wrong value", "30 s in CI"),
    "Z": ("what is planted, exchanged, downgraded or blown up is a miss; nothing secret is seen", "all"),
    "FZ": ("bytes of anybody against what must hold for any, by target", "30 s each in CI"),
    "L": ("mixed load with another fault each second", "20 s; 2 minutes with `SOAK_SECONDS=120`"),
}

HEAD = """# Scenarios of failure, and what was measured

Written by `scripts/scenarios.py` from the log of a run. In each no value was wrong, no exception reached a
caller, and every call was counted once; where one process was under load, neither a descriptor nor a thread
was left. What is said of CI is less where `CI` is not set. The situations one by one are in
[when something fails](../guide/failures.md).

| id | what happens | in each run of the tests | ran | measured |
|---|---|---|---|---|
"""


def told(line: dict[str, Any]) -> str:
    """What a line measured, in words."""
    named = {"scenario", "figure", "test", "seed"}
    measured = {name: value for name, value in line.items() if name not in named}
    units = {name: " s" if isinstance(value, float) else "" for name, value in measured.items()}
    return ", ".join(f"{name} {value:g}{units[name]}" for name, value in measured.items())


def page(lines: list[dict[str, Any]]) -> str:
    rows: list[str] = []
    for scenario, (what, figure) in SCENARIOS.items():
        ran = [line for line in lines if line["scenario"] == scenario]
        # Some ran on several interpreters.
        did = "; ".join(dict.fromkeys(line["figure"] for line in ran)) or "not run"
        measured = "; ".join(filter(None, map(told, ran))) or "–"
        rows.append(f"| {scenario} | {what} | {figure} | {did} | {measured} |")
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seeds = sorted({str(line["seed"]) for line in lines if "seed" in line})
    load = f", {os.cpu_count()} cores, load {os.getloadavg()[2]:.0f}" if hasattr(os, "getloadavg") else ""
    foot = (
        f"\nCommit {commit.stdout.strip()}, {datetime.date.today():%Y-%m-%d}, seed {', '.join(seeds)}; "
        f"CPython {platform.python_version()} on {platform.system()} {platform.machine()}{load}.\n"
        "\n`slowest` is the longest that any call took, `recovery` how long after the fault nine tenths of "
        "all keys were\nhits again, `overhead` what the last of 400 callers waited beyond the computation.\n"
    )
    return HEAD + "\n".join(rows) + "\n" + foot


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    PAGE.write_text(page(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())

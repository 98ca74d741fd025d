"""Row 11: get or insert in Rust, by a Zipf law, in one thread and in two; `bench/rust` is built and asked."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import harness
from harness import Effort
from hits import ratio
from report import Table, Verdict

ROOT = Path(__file__).resolve().parent.parent.parent
PROJECT = ROOT / "bench" / "rust"
CRATE = ROOT / "crates" / "everwarm"
BASE = "quick_cache"
OTHER = "moka"
LIMIT = f"≤ 1 × {BASE}, ≤ 1/8 × {OTHER}"


def samples(effort: Effort) -> list[dict[str, Any]] | str:
    """Build the contenders and run them, or say why that cannot be."""
    if not CRATE.exists():
        return "crates/everwarm is not there"
    cargo = ["cargo", "run", "--quiet", "--release", "--manifest-path", str(PROJECT / "Cargo.toml"), "--"]
    numbers = ("20000", "50000", "2") if effort.quick else ("1000000", "4000000", "5")
    target = os.environ.get("CARGO_TARGET_DIR", str(ROOT / ".cache" / "bench-rust"))
    try:
        done = subprocess.run(
            [*cargo, *numbers],
            env={**os.environ, "CARGO_TARGET_DIR": target},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return f"cargo cannot be run: {error}"
    if done.returncode:
        return next((line for line in done.stderr.splitlines() if "error" in line), "cargo failed")
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure(effort: Effort) -> list[Table]:
    """Lay out one table for each number of threads."""
    found = samples(effort)
    if isinstance(found, str):
        title = "Rust: get or insert"
        return [Table(11, title, Verdict(LIMIT, f"not measured: {found}", None), (), ())]
    return [_table(threads, [s for s in found if s["threads"] == threads]) for threads in (1, 2)]


def _table(threads: int, found: list[dict[str, Any]]) -> Table:
    """Lay out the contenders, the fastest first, each round compared with the base's of the same round."""
    times: dict[str, list[float]] = {}
    hits: dict[str, list[float]] = {}
    for sample in found:
        times.setdefault(sample["name"], []).append(sample["ns"])
        hits.setdefault(sample["name"], []).append(sample["hit_ratio"])
    medians = {name: harness.quartiles(rounds)[1] for name, rounds in times.items()}
    lines = []
    for name in sorted(medians, key=medians.__getitem__):
        relative = [own / base for own, base in zip(times[name], times[BASE], strict=True)]
        low, middle, high = harness.quartiles(relative)
        share = harness.quartiles(hits[name])[1]
        lines.append(
            (name, f"{medians[name]:,.1f}", ratio(middle), f"{ratio(low)}–{ratio(high)}", f"{share:.4f}")
        )
    to_base = medians["everwarm"] / medians[BASE]
    to_other = medians[OTHER] / medians["everwarm"]
    reached = f"{to_base:.2f} × {BASE}, 1/{to_other:.1f} × {OTHER}"
    verdict = Verdict(LIMIT, reached, to_base <= 1 and to_other >= 8)
    columns = ("", "ns per request", f"× {BASE}", "quartiles", "hit ratio")
    title = f"Rust: get or insert, Zipf 0.99, {threads} thread{'s' * (threads > 1)}"
    return Table(11, title, verdict, columns, lines)

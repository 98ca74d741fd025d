"""Row 22: invalidating a tag, which costs the same whether a hundred entries carry it or a million."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import harness
from harness import Effort
from report import Table, Verdict

if TYPE_CHECKING:
    from everwarm import Cache

FEW, MANY = 100, 1_000_000
# What lies on disk is filled more slowly, and a tenth of it shows the same.
MANY_STORED = 100_000
LIMIT = 1.5
CALLS = 2_000


def filled(cache: Cache, entries: int) -> dict[str, Callable[[], None]]:
    """Fill a cache with entries of one tag and of one value; the verbs that let all of them go."""

    @cache(tags=["all"], index=("shelf",), name="load", depends_on="nothing")
    def load(number: int, shelf: int = 0) -> int:
        return number

    for number in range(entries):
        load(number)
    return {
        "invalidate_tags": lambda: cache.invalidate_tags("all"),
        "invalidate_where": lambda: load.invalidate_where(shelf=0),
    }


def cost_us(verb: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Quartiles of the microseconds of a call, processor time of the thread."""
    samples = []
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(CALLS):
            verb()
        samples.append((time.thread_time() - began) / CALLS * 1e6)
    return harness.quartiles(samples)


def run(kind: str, many: int, rounds: int) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Measure both verbs at both sizes, each on a cache of its own."""
    from everwarm import Cache

    found: dict[str, dict[int, tuple[float, float, float]]] = {}
    for entries in (FEW, many):
        with tempfile.TemporaryDirectory() as directory:
            stores = f"disk://{Path(directory) / 'store'}?max_bytes=1GB" if kind == "disk" else None
            cache = Cache(stores, namespace="bench", max_entries=2 * many)
            for name, verb in filled(cache, entries).items():
                found.setdefault(name, {})[entries] = cost_us(verb, rounds)
            cache.close()
            del verb, cache
            gc.collect()
    return found


def measure(effort: Effort) -> list[Table]:
    """Measure memory alone, then memory before a directory."""
    rounds = 3 if effort.quick else 9
    tables = []
    for kind, many in (("memory", MANY), ("disk", MANY_STORED)):
        found = run(kind, many, rounds)
        lines = [
            (name, f"{entries:,}", f"{middle:.2f}", f"{low:.2f}–{high:.2f}")
            for name, sizes in found.items()
            for entries, (low, middle, high) in sizes.items()
        ]
        worst = max(sizes[many][1] / sizes[FEW][1] for sizes in found.values())
        verdict = Verdict(f"≤ {LIMIT} × at {FEW} entries", f"{worst:.2f} × at {many:,}", worst <= LIMIT)
        columns = ("", "entries", "µs", "quartiles")
        tables.append(Table(22, f"invalidation of all entries by one tag, {kind}", verdict, columns, lines))
    return tables

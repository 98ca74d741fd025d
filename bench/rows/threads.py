"""Row 10: hits from eight threads, against as many hits from one."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import harness
from harness import Effort
from hits import check_hits, ratio
from peers import PEERS, Attempt
from report import Table, Verdict

from rows import keys, scalars

THREADS = 8
LIMIT = 0.9
SAMPLE_NS = 60_000_000

Loop = Callable[[Sequence[Any], int], int]


def throughput(loop: Loop, lists: list[list[int]], passes: int, threads: int) -> float:
    """Return hits per second of wall time, from the first thread's start to the last one's end."""
    ready = threading.Barrier(threads)
    spans: list[tuple[int, int]] = []

    def run(own: list[int]) -> None:
        ready.wait()
        start = time.perf_counter_ns()
        loop(own, passes)
        spans.append((start, time.perf_counter_ns()))

    workers = [threading.Thread(target=run, args=(own,)) for own in lists[:threads]]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    elapsed = max(end for _, end in spans) - min(start for start, _ in spans)
    return threads * passes * len(lists[0]) / elapsed * 1e9


def contenders() -> tuple[dict[str, Loop], dict[str, str]]:
    """Decorate, fill and check every peer that has a sync decorator."""
    loops: dict[str, Loop] = {}
    left_out: dict[str, str] = {}
    work = scalars.work(keys.integers)
    for peer in PEERS:
        computed: list[Any] = []
        with Attempt(peer.name, left_out):
            names = scalars.names(peer, computed)
            check_hits(work, names, computed)
            loops[peer.name] = harness.compile_loop(work.statement, names)
    return loops, left_out


def measure(effort: Effort) -> list[Table]:
    """Measure one thread and eight in turn, every peer in every round; both make the same number of hits."""
    loops, left_out = contenders()
    lists = [keys.integers() for _ in range(THREADS)]
    sample = SAMPLE_NS // 6 if effort.quick else SAMPLE_NS
    passes = {name: max(1, int(sample / THREADS / max(loop(lists[0], 1), 1))) for name, loop in loops.items()}
    names = list(loops)
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(effort.rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            one = throughput(loops[name], lists, THREADS * passes[name], 1)
            many = throughput(loops[name], lists, passes[name], THREADS)
            results[name].append((one, many))
    lines = []
    shares = {}
    for name, pairs in results.items():
        low, middle, high = harness.quartiles([many / one for one, many in pairs])
        shares[name] = (low, middle, high)
        one, many = (statistics.median(column) for column in zip(*pairs, strict=True))
        lines.append(
            (name, f"{one / 1e6:,.3f}", f"{many / 1e6:,.3f}", ratio(middle), f"{low:.2f}–{high:.2f}")
        )
    lines.sort(key=lambda line: -float(line[2].replace(",", "")))
    columns = ("", "1 thread, M hits/s", f"{THREADS} threads, M hits/s", "× one thread", "quartiles")
    return [Table(10, f"hits from {THREADS} threads", _verdict(shares, left_out), columns, lines, left_out)]


def _verdict(shares: dict[str, tuple[float, float, float]], left_out: dict[str, str]) -> Verdict:
    """Judge the share of one thread's throughput that eight threads keep."""
    limit = f"≥ {LIMIT} × one thread"
    if "everwarm" not in shares:
        return Verdict(limit, f"not measured: everwarm {left_out['everwarm']}", None)
    low, middle, high = shares["everwarm"]
    return Verdict(limit, f"{middle:.2f} × ({low:.2f}–{high:.2f})", middle >= LIMIT)

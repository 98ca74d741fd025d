"""Row 7: requests by a Zipf law, 10 % of the keys fit: hit ratio and time of get, and of set after a miss."""

from __future__ import annotations

import gc
import itertools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import CodeType, FunctionType

import harness
from harness import Effort
from hits import ratio
from peers import PEERS, Attempt, Held
from report import Table, Verdict

BASE = "cachebox"
EXPONENT = 0.99
HIT_RATIO = 0.775
LIMIT = 1.1


@dataclass(frozen=True)
class Size:
    """How many keys and requests; the first `warm` requests fill the cache and do not count."""

    keys: int
    warm: int
    requests: int
    rounds: int


FULL = Size(keys=1_000_000, warm=1_000_000, requests=2_000_000, rounds=5)
QUICK = Size(keys=20_000, warm=20_000, requests=40_000, rounds=2)


@dataclass(frozen=True)
class Played:
    """Processor time for each request, and the share of hits."""

    ns: float
    hits: float


def zipf(size: Size) -> tuple[list[int], list[int]]:
    """Return the requests that warm and those that count: the same on each run, popular keys scattered."""
    chance = random.Random(7)
    weights = list(itertools.accumulate(rank**-EXPONENT for rank in range(1, size.keys + 1)))
    numbers = chance.sample(range(size.keys), size.keys)
    drawn = chance.choices(numbers, cum_weights=weights, k=size.warm + size.requests)
    return drawn[: size.warm], drawn[size.warm :]


def compile_player(missing: str) -> Callable[..., int]:
    """Compile the loop of requests; it counts misses alone, so that a hit costs what a program pays."""
    source = f"""
def play(requests, get, put):
    misses = 0
    for x in requests:
        if {missing}:
            misses += 1
            put(x, x)
    return misses
"""
    module = compile(source, "<measured>", "exec")
    return FunctionType(next(code for code in module.co_consts if isinstance(code, CodeType)), {})


def play(held: Held, warm: Sequence[int], requests: Sequence[int]) -> Played:
    """Warm a cache, then pass through the requests once."""
    player = compile_player(held.missing)
    player(warm, held.get, held.put)
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time_ns()
        misses = player(requests, held.get, held.put)
        elapsed = time.thread_time_ns() - start
    finally:
        gc.enable()
    return Played(elapsed / len(requests), 1 - misses / len(requests))


def measure(effort: Effort) -> list[Table]:
    """Let everyone pass through the same requests, each with a cache of its own in each round."""
    size = QUICK if effort.quick else FULL
    warm, requests = zipf(size)
    results: dict[str, list[Played]] = {peer.name: [] for peer in PEERS}
    left_out: dict[str, str] = {}
    peers = {peer.name: peer for peer in PEERS}
    for number in range(size.rounds):
        for name in harness.turns(peers, number):
            with Attempt(name, left_out):
                results[name].append(play(peers[name].table(size.keys // 10, None), warm, requests))
    for name in left_out:
        del results[name]
    return [_table(size, results, left_out)]


def _table(size: Size, results: dict[str, list[Played]], left_out: dict[str, str]) -> Table:
    """Lay out hit ratio and time, the highest ratio first."""
    lines, reached = [], {}
    base = results.get(BASE)
    for name, rounds in results.items():
        ns = harness.quartiles([played.ns for played in rounds])[1]
        hits = harness.quartiles([played.hits for played in rounds])[1]
        relative = [p.ns / b.ns for p, b in zip(rounds, base, strict=True)] if base else [float("nan")] * 2
        low, middle, high = harness.quartiles(relative)
        reached[name] = (hits, middle)
        lines.append((name, f"{hits:.4f}", f"{ns:,.0f}", ratio(middle), f"{ratio(low)}–{ratio(high)}"))
    lines.sort(key=lambda line: -float(line[1]))
    title = f"Zipf {EXPONENT}, {size.keys:,} keys, 10 % fit, {size.requests:,} requests"
    columns = ("", "hit ratio", "ns per request", f"× {BASE} LRU", "quartiles")
    note = f"After {size.warm:,} requests that do not count; a miss includes its set."
    return Table(7, title, _verdict(reached, left_out), columns, lines, left_out, (note,))


def _verdict(reached: dict[str, tuple[float, float]], left_out: dict[str, str]) -> Verdict:
    """Judge hit ratio and time together."""
    limit = f"hit ratio ≥ {HIT_RATIO} at ≤ {LIMIT} × {BASE}'s LRU"
    if "everwarm" not in reached or BASE not in reached:
        absent = {**dict.fromkeys(("everwarm", BASE), ""), **left_out}
        return Verdict(limit, f"not measured: {absent['everwarm'] or absent[BASE]}", None)
    hits, relative = reached["everwarm"]
    return Verdict(limit, f"{hits:.4f} at {relative:.2f} ×", hits >= HIT_RATIO and relative <= LIMIT)

"""Row 16: gets of 100 bytes from Redis, by so many tasks of one loop at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import harness
from clients import AWAITED, BASE, Asked
from distant import SIZE, Contest, contest, tabulate
from harness import Effort, Loop
from report import Table

from rows import keys

# How many tasks, and how many times the base's throughput they must reach.
KINDS = ((1, 2.0), (64, 10.0), (256, 10.0))


def by_tasks(contest: Contest, asked: Asked, statement: str, count: int) -> Loop:
    """Return a loop whose keys are shared out among tasks, each of which awaits one get after the other."""
    loop = harness.compile_loop(f"await {statement}", asked.names, awaited=True)

    async def together(given: Sequence[Any], passes: int) -> int:
        begun = time.perf_counter_ns()
        await asyncio.gather(*(loop(given[at::count], passes) for at in range(min(count, len(given)))))
        return time.perf_counter_ns() - begun

    return lambda given, passes: contest.runner.run_until_complete(together(given, passes))


def measure(effort: Effort) -> list[Table]:
    """Measure each number of tasks, with all clients open at once."""
    tables = []
    with contest() as clients:
        clients.enter(AWAITED, keys.texts())
        for count, limit in KINDS:
            loops = {name: by_tasks(clients, asked, asked.get, count) for name, asked in clients.open.items()}
            times = clients.measure(loops, keys.texts(), effort)
            title = (16, f"Redis, asyncio, {count} in flight, get of {SIZE} B")
            must = (f"≥ {limit:g} × {BASE}'s throughput", lambda reached, limit=limit: reached >= limit)
            tables.append(tabulate(title, must, clients, times, AWAITED, speed=True))
    return tables

"""Row 15: a get of 100 bytes from Redis, by a thread."""

from __future__ import annotations

import time

import harness
from clients import BASE, CLIENTS
from distant import SIZE, contest, tabulate
from harness import Effort
from report import Table

from rows import keys

LIMIT = 0.45


def measure(effort: Effort) -> list[Table]:
    """Measure one get at a time."""
    with contest() as clients:
        clients.enter(CLIENTS, keys.texts())
        loops = {
            name: harness.compile_loop(asked.get, asked.names, clock=time.perf_counter_ns)
            for name, asked in clients.open.items()
        }
        times = clients.measure(loops, keys.texts(), effort)
    limit = (f"≤ {LIMIT:g} × {BASE}", lambda reached: reached <= LIMIT)
    return [tabulate((15, f"Redis, get of {SIZE} B"), limit, clients, times, CLIENTS)]

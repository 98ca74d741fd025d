"""Row 17: 100 values of 100 bytes from Redis in one call, awaited."""

from __future__ import annotations

from clients import AWAITED, BASE
from distant import SIZE, contest, tabulate
from harness import Effort
from report import Table

from rows import inflight, keys

MANY = 100
LIMIT = 0.5


def measure(effort: Effort) -> list[Table]:
    """Measure one call at a time."""
    every = keys.texts()
    lists = [every[at : at + MANY] for at in range(0, len(every), MANY)]
    with contest() as clients:
        clients.enter(AWAITED, every, many=True)
        loops = {
            name: inflight.by_tasks(clients, asked, asked.get_many, 1) for name, asked in clients.open.items()
        }
        times = clients.measure(loops, lists, effort)
    limit = (f"≤ {LIMIT:g} × {BASE}", lambda reached: reached <= LIMIT)
    return [tabulate((17, f"Redis, get_many of {MANY} × {SIZE} B"), limit, clients, times, AWAITED)]

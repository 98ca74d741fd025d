"""Row 4: an awaited hit."""

from __future__ import annotations

import sys
from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import Peer
from report import Table

from rows import keys

BASE = "async def around a dict"
LIMIT = 0.8 if sys.version_info < (3, 12) else 1.0


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a coroutine function of one argument."""

    async def double(x: int) -> int:
        computed.append(x)
        return x + x

    return {"f": peer.awaited(double)}


def around_dict() -> Names:
    """Return what one would write by hand: a coroutine function that looks into a dict."""
    table = {x: x + x for x in keys.integers()}

    async def look_up(x: int) -> int:
        return table[x]

    return {"f": look_up}


def measure(effort: Effort) -> list[Table]:
    """Measure `await f(x)` on one event loop."""
    work = Work(
        "await f(x)",
        keys.integers(),
        keys.integers(),
        names,
        lambda x: x + x,
        awaited=True,
        others={BASE: around_dict()},
    )
    outcome = run_hits(work, BASE, effort)
    verdict = ratio_verdict(outcome, BASE, LIMIT)
    return [tabulate(4, "awaited hit", BASE, outcome, verdict)]

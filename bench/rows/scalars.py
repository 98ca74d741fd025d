"""Row 1: a hit with one integer or one text as the argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import Peer
from report import Table

from rows import keys

BASE = "functools.lru_cache"
LIMIT = 0.7


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a function of one argument."""

    def double(x: Any) -> Any:
        computed.append(x)
        return x + x

    return {"f": peer.sync(double)}


def work(make: Callable[[], list[Any]]) -> Work:
    """Return the call `f(x)` over keys of one kind."""
    return Work("f(x)", make(), make(), names, lambda x: x + x)


def measure(effort: Effort) -> list[Table]:
    """Measure both kinds of key."""
    tables = []
    for kind, make in (("int", keys.integers), ("str", keys.texts)):
        outcome = run_hits(work(make), BASE, effort)
        verdict = ratio_verdict(outcome, BASE, LIMIT)
        tables.append(tabulate(1, f"sync hit, one {kind}", BASE, outcome, verdict))
    return tables

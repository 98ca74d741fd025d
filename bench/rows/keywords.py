"""Row 2: a hit with two arguments and a keyword."""

from __future__ import annotations

from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import Peer
from report import Table

from rows import keys

BASE = "functools.lru_cache"
LIMIT = 0.3


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a function of three arguments, one of them with a default."""

    def price(x: int, unit: str, k: int = 0) -> int:
        computed.append(x)
        return x + k

    return {"f": peer.keyword(price)}


def measure(effort: Effort) -> list[Table]:
    """Measure the call `f(x, 'b', k=3)`."""
    work = Work("f(x, 'b', k=3)", keys.integers(), keys.integers(), names, lambda x: x + 3)
    outcome = run_hits(work, BASE, effort)
    verdict = ratio_verdict(outcome, BASE, LIMIT)
    return [tabulate(2, "sync hit, two arguments and a keyword", BASE, outcome, verdict)]

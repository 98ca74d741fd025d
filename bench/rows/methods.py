"""Row 3: a hit on a method."""

from __future__ import annotations

from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import LeftOut, Peer
from report import Table

from rows import keys

BASE = "functools.lru_cache"
LIMIT = 0.8


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a method and insist that two instances do not share entries."""

    class Shop:
        """A class whose instances have a factor, so that a shared entry shows."""

        def __init__(self, factor: int) -> None:
            self.factor = factor
            self.store = peer.store()

        @peer.method
        def price(self, x: int) -> int:
            computed.append(x)
            return self.factor * x

    shop, other = Shop(2), Shop(3)
    if (shop.price(7), other.price(7)) != (14, 21):
        raise LeftOut("gives one instance's value to another")
    return {"obj": shop, "_other": other}


def measure(effort: Effort) -> list[Table]:
    """Measure the call `obj.price(x)`."""
    work = Work("obj.price(x)", keys.integers(), keys.integers(), names, lambda x: 2 * x)
    outcome = run_hits(work, BASE, effort)
    verdict = ratio_verdict(outcome, BASE, LIMIT)
    return [tabulate(3, "method hit", BASE, outcome, verdict)]

"""Row 6: a hit with an argument keyed by its content: dataclass, tuple, list, of five small fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Any

from harness import Effort
from hits import Names, Outcome, Work, ratio_verdict, run_hits, tabulate, time_verdict
from peers import Peer
from report import Table, Verdict

from rows import keys

BASE = "functools.lru_cache"


@dataclass(frozen=True)
class Order:
    """Five small fields; frozen, so that libraries which hash their arguments can take it."""

    number: int
    customer: str
    weight: float
    express: bool
    remark: str | None


def orders() -> list[Order]:
    """Return distinct orders."""
    return [Order(n, f"user:{n}", n / 8, n % 2 == 0, None) for n in keys.integers()]


def tuples() -> list[tuple[Any, ...]]:
    """Return the same orders as tuples."""
    return [astuple(order) for order in orders()]


def lists() -> list[list[Any]]:
    """Return the same orders as lists."""
    return [list(astuple(order)) for order in orders()]


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a function of one argument."""

    def number(x: Any) -> int:
        computed.append(None)
        return x.number if isinstance(x, Order) else x[0]

    return {"f": peer.sync(number)}


def number_of(x: Any) -> int:
    """Return what the decorated function must return."""
    return x.number if isinstance(x, Order) else x[0]


def measure(effort: Effort) -> list[Table]:
    """Measure the three kinds of argument."""
    kinds: tuple[tuple[str, Callable[[], list[Any]], Callable[[Outcome], Verdict]], ...] = (
        ("dataclass", orders, lambda outcome: time_verdict(outcome, 1_000)),
        ("tuple", tuples, lambda outcome: ratio_verdict(outcome, BASE, 3.0)),
        ("list", lists, lambda outcome: time_verdict(outcome, 1_000)),
    )
    tables = []
    for kind, make, judge in kinds:
        outcome = run_hits(Work("f(x)", make(), make(), names, number_of), BASE, effort)
        tables.append(tabulate(6, f"hit, {kind} of five fields", BASE, outcome, judge(outcome)))
    return tables

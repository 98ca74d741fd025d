"""Row 5: the cache as a table: a get that hits, and a set of a key that is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import MAX_ENTRIES, TTL, Held, Peer
from report import Table

from rows import keys

BASE = "dict"


def names(peer: Peer, computed: list[Any]) -> Names:
    """Make and fill a table; bound methods, as a program has them that asks more than once."""
    return filled(peer.table(MAX_ENTRIES, TTL))


def filled(held: Held) -> Names:
    """Put a value under each key."""
    for key in keys.integers():
        held.put(key, key + key)
    # How a value is read differs, and the check must be the same statement for all.
    read: Callable[[Any], Any] = (lambda got: got[0]) if held.value.endswith("[0]") else lambda got: got
    return {"get": held.get, "put": held.put, "read": read}


def around_dict() -> Names:
    """Return a dict's own methods."""
    table: dict[int, int] = {}
    return filled(Held(table.get, table.__setitem__))


def measure(effort: Effort) -> list[Table]:
    """Measure both verbs."""
    tables = []
    kinds = (
        ("get, hit", "get(x)", "read(get(x))", 2.0),
        ("set, the key is there", "put(x, x)", "(put(x, x + x), read(get(x)))[1]", 1.4),
    )
    for title, statement, checked, limit in kinds:
        work = Work(
            statement,
            keys.integers(),
            keys.integers(),
            names,
            lambda x: x + x,
            others={BASE: around_dict()},
            checked=checked,
        )
        outcome = run_hits(work, BASE, effort)
        verdict = ratio_verdict(outcome, BASE, limit)
        tables.append(tabulate(5, f"cache object, {title}", BASE, outcome, verdict))
    return tables

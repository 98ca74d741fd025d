"""Row 23: a batch of 100 ids that are all hits, beside 100 single hits in a loop."""

from __future__ import annotations

from typing import Any

from harness import Effort
from hits import Names, Work, ratio_verdict, run_hits, tabulate
from peers import MAX_ENTRIES, TTL, LeftOut, Peer
from report import Table

from rows import keys

SIZE = 100
BASE = "a loop of single hits"
LIMIT = 1.0


def batches() -> list[list[int]]:
    """Return lists of ids, each made anew."""
    ids = keys.integers()
    return [ids[at : at + SIZE] for at in range(0, len(ids), SIZE)]


def names(peer: Peer, computed: list[Any]) -> Names:
    """Decorate a function of many ids; no peer has that."""
    if peer.name != "everwarm":
        raise LeftOut("has no batches")
    from everwarm import Cache

    def doubled(ids: list[int]) -> list[int]:
        computed.extend(ids)
        return [x + x for x in ids]

    return {"f": Cache(max_entries=MAX_ENTRIES).batch(ttl=TTL)(doubled)}


def looped() -> Names:
    """Decorate a function of one id, and ask it in a loop."""
    from everwarm import Cache

    def double(x: int) -> int:
        return x + x

    single = Cache(max_entries=MAX_ENTRIES)(ttl=TTL)(double)
    return {"f": lambda ids: [single(x) for x in ids]}


def listed() -> Names:
    """Look the ids up in a dict."""
    table = {x: x + x for x in keys.integers()}
    return {"f": lambda ids: [table.get(x) for x in ids]}


def measure(effort: Effort) -> list[Table]:
    """Measure a call for 100 ids."""
    work = Work(
        "f(x)",
        batches(),
        batches(),
        names,
        lambda ids: [x + x for x in ids],
        others={BASE: looped(), "a loop over a dict": listed()},
    )
    outcome = run_hits(work, BASE, effort)
    outcome.left_out.clear()
    verdict = ratio_verdict(outcome, BASE, LIMIT)
    return [tabulate(23, f"a batch of {SIZE} hits", BASE, outcome, verdict)]

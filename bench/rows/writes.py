"""Row 13: a set in the disk store, of 100 bytes and ten kibibytes, with a bound and an expiry."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from harness import Effort
from peers import LeftOut
from report import Table
from stored import KEYS, Known, content, contest, insist, tabulate
from stores import BOUND, MEBIBYTE, Store

from rows import keys

# What is written, the bound of a store that is to be full of it, and the speed that it must reach.
KINDS = (("100 B", 100, 8 * MEBIBYTE, 10.0), ("10 KiB", 10 << 10, 16 * MEBIBYTE, 5.0))
STEP = 100


def measure(effort: Effort) -> list[Table]:
    """Measure sets of keys that are there, then sets of keys that are not, in a store that is full."""
    tables = []
    for title, size, bound, limit in KINDS:
        value = content(title, size)
        tables.append(_again(title, value, limit, effort))
        tables.append(_full(title, value, bound, limit, effort))
    return tables


def _again(title: str, value: bytes, limit: float, effort: Effort) -> Table:
    """Measure sets of keys that are there, far from the bound."""

    def fill(store: Store, known: Known) -> None:
        """Put all, and read all back."""
        names = keys.texts(KEYS)
        known.results(known.opened.put, names, value=value)
        for key, got in zip(names, known.results(known.opened.get, names), strict=True):
            insist(key, got, value)

    with contest(BOUND) as stores:
        stores.enter(lambda opened: opened.put, fill, value=value)
        times = stores.measure(keys.texts(KEYS), effort, "pass")
    return tabulate(13, f"disk, set of {title}, the key is there", limit, stores, times)


def _full(title: str, value: bytes, bound: int, limit: float, effort: Effort) -> Table:
    """Measure sets of keys that were never there, each at the cost of another entry."""
    fresh = map("item:{}".format, itertools.count(10_000_000))

    def fill(store: Store, known: Known) -> None:
        """Put until an early entry is gone, or as much has been put as cannot all be kept."""
        if not store.is_bounded:
            raise LeftOut("has no bound, and is never full")
        names: list[str] = []
        for step in range(2 * bound // len(value) // STEP + 1):
            names += _put(known, fresh, value)
            insist(names[-1], *known.results(known.opened.get, names[-1:]), value)
            # Another one each time: a store may keep an entry because it was read.
            if known.results(known.opened.get, [names[step]])[0] is None:
                return
        raise LeftOut(f"keeps more than its bound of {bound // MEBIBYTE} MiB")

    with contest(bound) as stores:
        stores.enter(lambda opened: f"x = next(fresh); {opened.put}", fill, value=value, fresh=fresh)
        times = stores.measure(keys.texts(KEYS), effort, "x = next(fresh)", fresh=fresh)
    heading = f"disk, set of {title}, a new key in a store that is full at {bound // MEBIBYTE} MiB"
    return tabulate(13, heading, limit, stores, times)


def _put(known: Known, fresh: Iterator[str], value: bytes) -> list[str]:
    """Put a step's worth of new keys."""
    names = list(itertools.islice(fresh, STEP))
    known.results(known.opened.put, names, value=value)
    return names

"""Row 12: a get from the disk store, of 100 bytes, ten kibibytes and a mebibyte."""

from __future__ import annotations

from harness import Effort
from report import Table
from stored import KEYS, Known, content, contest, insist, tabulate
from stores import BOUND, Store

from rows import keys

# What is read, how many entries of it there are, and how many times as fast as the base it must be read.
KINDS = (("100 B", 100, KEYS, 3.0), ("10 KiB", 10 << 10, KEYS, 2.0), ("1 MiB", 1 << 20, 32, 1.5))


def measure(effort: Effort) -> list[Table]:
    """Measure each size, with all stores open at once."""
    tables = []
    for title, size, count, limit in KINDS:
        values = {key: content(key, size) for key in keys.texts(count)}

        def fill(store: Store, known: Known, values: dict[str, bytes] = values) -> None:
            """Put every value, and read it back by a key that is not the same object."""
            put = f"(value := values[x], {known.opened.put})[1]"
            known.results(put, list(values), values=values)
            again = keys.texts(len(values))
            for key, got in zip(again, known.results(known.opened.get, again), strict=True):
                insist(key, got, values[key])

        with contest(BOUND) as stores:
            stores.enter(lambda opened: opened.get, fill)
            times = stores.measure(keys.texts(count), effort, "pass")
        tables.append(tabulate(12, f"disk, get of {title}", limit, stores, times))
    return tables

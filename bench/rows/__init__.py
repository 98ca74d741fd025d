"""The rows of the performance table, one module each; `measure(effort)` returns the row's tables."""

from __future__ import annotations

from collections.abc import Callable

from harness import Effort
from report import Table

from rows import (
    awaited,
    batches,
    content,
    envelopes,
    herds,
    imports,
    inflight,
    invalidations,
    keywords,
    memory,
    methods,
    native,
    processes,
    reads,
    remote,
    scalars,
    stampede,
    tables,
    threads,
    together,
    traces,
    writes,
    zipf,
)

ROWS: dict[int, Callable[[Effort], list[Table]]] = {
    1: scalars.measure,
    2: keywords.measure,
    3: methods.measure,
    4: awaited.measure,
    5: tables.measure,
    6: content.measure,
    7: zipf.measure,
    8: traces.measure,
    9: memory.measure,
    10: threads.measure,
    11: native.measure,
    12: reads.measure,
    13: writes.measure,
    14: processes.measure,
    15: remote.measure,
    16: inflight.measure,
    17: together.measure,
    18: stampede.measure,
    19: herds.measure,
    20: imports.measure,
    21: envelopes.measure,
    22: invalidations.measure,
    23: batches.measure,
}

"""The rows of the performance table, one module each; `measure(effort)` returns the row's tables."""

from __future__ import annotations

from collections.abc import Callable

from harness import Effort
from report import Table

from rows import awaited, content, imports, keywords, methods, scalars, stampede, threads

ROWS: dict[int, Callable[[Effort], list[Table]]] = {
    1: scalars.measure,
    2: keywords.measure,
    3: methods.measure,
    4: awaited.measure,
    6: content.measure,
    10: threads.measure,
    18: stampede.measure,
    20: imports.measure,
}

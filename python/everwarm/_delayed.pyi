"""Invalidations that are done a second time, some time after: for replicas that lag behind their source."""

from collections.abc import Callable, Sequence
from typing import Final

from everwarm._native import Table

ROOM: Final = 10_000

def again(table: Table, delay: float, acts: Sequence[Callable[[], None]]) -> None: ...
def do_due() -> float | None: ...

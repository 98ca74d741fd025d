"""A store that fails, is slow and loses bytes."""

from everwarm._native import OpenedStore
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]
from everwarm._store import Store

def chaos(
    store: str | OpenedStore | Store,
    *,
    seed: int,
    error: float = 0.0,
    delay: float = 0.0,
    delay_by: _Duration = "10ms",
    corrupt: float = 0.0,
) -> OpenedStore: ...

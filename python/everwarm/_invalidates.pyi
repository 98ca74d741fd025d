"""Writers that invalidate: once such a function has returned, what it changed is no longer served."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from everwarm._cache import Cache

def writer(
    cache: Cache,
    wrapped: Callable[..., Any],
    aimed_at: tuple[
        Iterable[str] | Callable[..., Iterable[str]], Iterable[str] | Callable[..., Iterable[object]]
    ],
    delay: float | str | timedelta | None = None,
) -> Any: ...

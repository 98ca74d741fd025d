"""Invalidation by Django's models: when a transaction commits, what its rows are cached under is gone."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from everwarm._cache import Cache

def watch(
    cache: Cache,
    tags: Mapping[type[Any], Callable[[Any], Iterable[str]]],
    *,
    delay: float | timedelta | str | None = None,
    mark_before: bool = False,
    timeout: float | timedelta | str = "30s",
) -> None: ...
def invalidate_on_commit(
    cache: Cache,
    *tags: str,
    using: str | None = None,
    delay: float | timedelta | str | None = None,
    mark_before: bool = False,
    timeout: float | timedelta | str = "30s",
) -> None: ...

"""Invalidation by SQLAlchemy's sessions: when one commits, what its rows are cached under is gone."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from everwarm._cache import Cache

def watch(
    sessions: Any,
    cache: Cache,
    tags: Mapping[type[Any], Callable[[Any], Iterable[str]]],
    *,
    bulk: Callable[[type[Any]], Iterable[str]] | None = None,
    delay: float | timedelta | str | None = None,
    mark_before: bool = False,
    timeout: float | timedelta | str = "30s",
) -> None: ...

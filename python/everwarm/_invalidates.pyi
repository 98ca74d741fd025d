"""Writers that invalidate: once such a function has returned, what it changed is no longer served."""

from collections.abc import Callable, Iterable
from typing import Any

from everwarm._cache import Cache

def writer(
    cache: Cache,
    wrapped: Callable[..., Any],
    tags: Iterable[str] | Callable[..., Iterable[str]],
    keys: Iterable[str] | Callable[..., Iterable[object]],
) -> Any: ...

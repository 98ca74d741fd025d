"""What the rows of one database transaction invalidate, once that is committed."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from everwarm._cache import Cache
from everwarm._unit_of_work import UnitOfWork

class Watched:
    """The models whose rows are watched, with what tells the tags of a row."""

    cache: Cache
    delay: float | timedelta | str | None
    mark_before: bool
    timeout: float | timedelta | str

    def __init__(
        self,
        cache: Cache,
        tags: Mapping[type[Any], Callable[[Any], Iterable[str]]],
        delay: float | timedelta | str | None,
        mark_before: bool,
        timeout: float | timedelta | str,
    ) -> None: ...
    def unit(self) -> UnitOfWork: ...
    def model_of(self, kind: type[Any]) -> type[Any] | None: ...
    def tags_of(self, *rows: Any) -> list[str]: ...

class Transaction:
    """One transaction in which watched rows have changed."""

    def __init__(self, watched: Watched) -> None: ...
    def touch(self, tags: Iterable[str], part: object | None = None) -> None: ...
    def touch_all(self) -> None: ...
    def roll_back_to(self, is_gone: Callable[[Any], bool]) -> None: ...
    def commit(self) -> None: ...
    def roll_back(self) -> None: ...

class RolledBack(Exception):
    """What a unit of work is told of a transaction that was rolled back."""

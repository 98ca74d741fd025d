"""Units of work: what is invalidated inside of one is done once it has ended well, and not if it raises."""

from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Final, final

from typing_extensions import Self

from everwarm._cache import Cache
from everwarm._native import Deed, Table

ROOM: Final = 10_000

@final
class UnitOfWork:
    """A block whose invalidations wait for its end."""

    def __init__(
        self,
        cache: Cache,
        delay: float | timedelta | str | None = None,
        mark_before: bool = False,
        timeout: float | timedelta | str = "30s",
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...
    def collect_tags(self, names: Iterable[str]) -> None: ...
    def collect(self, deed: Deed) -> None: ...

def running(table: Table) -> UnitOfWork | None: ...

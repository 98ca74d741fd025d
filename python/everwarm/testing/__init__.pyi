"""What tests want: time under their control, and how often a function was computed."""

from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, final

from typing_extensions import Self

from everwarm._function import Function
from everwarm._native import Hand, OpenedStore

__all__ = ["ManualClock", "clock", "computed_times", "open_store"]

@final
class ManualClock(Hand):
    """A clock that moves when told to; give it to `Cache(clock=...)`."""

def open_store(url: str, *, clock: ManualClock | None = None) -> OpenedStore:
    """A native store with the methods of `everwarm.Store` and of all facets that it offers."""

@contextmanager
def clock(hand: ManualClock) -> Generator[ManualClock]: ...

@final
class computed_times:
    """Counts how often a decorated function is computed; compares with integers."""

    def __init__(self, function: Function[..., Any]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    @property
    def count(self) -> int: ...
    def __index__(self) -> int: ...
    def __int__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleMethodOverride]

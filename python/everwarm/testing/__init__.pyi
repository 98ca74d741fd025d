"""What tests want: time under their control, and how often a function was computed."""

from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, ClassVar, final

from typing_extensions import Self

from everwarm import Cache
from everwarm._function import Function
from everwarm._native import Hand, OpenedStore
from everwarm.testing._chaos import chaos as chaos
from everwarm.testing._follow import follow as follow
from everwarm.testing._proxy import FaultProxy as FaultProxy
from everwarm.testing._stand_in import force as force
from everwarm.testing._stand_in import record as record
from everwarm.testing._stand_in import replay as replay
from everwarm.testing._stand_in import slow as slow

__all__ = [
    "FaultProxy",
    "ManualClock",
    "assert_computed",
    "chaos",
    "clock",
    "computed_times",
    "follow",
    "force",
    "open_store",
    "record",
    "replay",
    "run_due",
    "slow",
]

@final
class ManualClock(Hand):
    """A clock that moves when told to; give it to `Cache(clock=...)`."""

def open_store(url: str, *, clock: ManualClock | None = None) -> OpenedStore:
    """A native store with the methods of `everwarm.Store` and of all facets that it offers."""

@contextmanager
def clock(hand: ManualClock) -> Generator[ManualClock]: ...
def run_due(cache: Cache) -> int: ...

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

@contextmanager
def assert_computed(function: Function[..., Any], times: int) -> Generator[computed_times]: ...

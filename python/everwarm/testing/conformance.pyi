"""The contract of stores as checks, for stores written in Python."""

from collections.abc import Callable
from typing import overload

from everwarm._native import Place
from everwarm._store import Store

__all__ = ["check", "outcome", "promises"]

def promises(suite: str | None = None) -> list[str]:
    """The names of all promises, in the order of the contract."""

@overload
def check(open: Callable[[], Store], *, only: str | None = None) -> None:
    """Holds the stores that `open` gives to the contract."""

@overload
def check(open: Callable[[Place], Store], *, only: str | None = None) -> None: ...
@overload
def outcome(open: Callable[[], Store], name: str) -> bool | str | None:
    """What becomes of one promise."""

@overload
def outcome(open: Callable[[Place], Store], name: str) -> bool | str | None: ...

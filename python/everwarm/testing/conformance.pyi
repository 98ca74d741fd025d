"""The contract as checks, for stores and formats written in Python, and for the layers around stores."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

from everwarm._format import _Given  # pyright: ignore[reportPrivateUsage]
from everwarm._keyring import Keyring
from everwarm._native import Place
from everwarm._store import Store

__all__ = ["check", "check_codec", "check_format", "check_layers", "format_outcome", "outcome", "promises"]

def promises(suite: str | None = None) -> list[str]:
    """The names of all promises of stores, in the contract's order, or of one suite."""

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
@overload
def check_layers(
    open: Callable[[], Store],
    *,
    breaker: bool | None = None,
    retry: bool | None = None,
    bulkhead: int | Literal[False] | None = None,
    only: str | None = None,
) -> None:
    """Holds stores behind layers to the contract, and the layers to what they promise of a store."""

@overload
def check_layers(
    open: Callable[[Place], Store],
    *,
    breaker: bool | None = None,
    retry: bool | None = None,
    bulkhead: int | Literal[False] | None = None,
    only: str | None = None,
) -> None: ...
def check_codec(
    *, compression: str | None = None, keyring: Keyring | None = None, only: str | None = None
) -> None:
    """Holds what a cache with these options seals and opens to what codecs promise."""

def check_format(
    format: _Given, values: Iterable[Any], *, annotation: object = None, only: str | None = None
) -> None:
    """Holds a format to what formats promise."""

def format_outcome(
    format: _Given, values: Iterable[Any], name: str, *, annotation: object = None
) -> bool | str | None:
    """What becomes of one promise of a format."""

"""What a test has computed in the place of a decorated function."""

from collections.abc import Generator
from contextlib import contextmanager
from os import PathLike
from typing import Any, Literal

from everwarm._function import Bound, Function
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]

class Slow:
    """How long each computation is to take longer."""

    seconds: float
    def __init__(self, seconds: float) -> None: ...

def slow(by: _Duration) -> Slow: ...
@contextmanager
def force(
    function: Function[..., Any] | Bound,
    what: Literal["expired", "stale"] | BaseException | type[BaseException] | Slow,
    *,
    key: tuple[Any, ...] | None = None,
) -> Generator[None]: ...
@contextmanager
def record(function: Function[..., Any] | Bound, path: str | PathLike[str]) -> Generator[None]: ...
@contextmanager
def replay(function: Function[..., Any] | Bound, path: str | PathLike[str]) -> Generator[None]: ...

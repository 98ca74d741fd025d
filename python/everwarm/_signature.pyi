"""What a callable takes, and whether what it gives is awaited or iterated over."""

from collections.abc import Callable
from typing import Any, Final

from everwarm._native import _Parameter  # pyright: ignore[reportPrivateUsage]

POSITIONAL_ONLY: Final = 0
PLAIN: Final = 1
REST: Final = 2
KEYWORD_ONLY: Final = 3
NAMED: Final = 4
ANY: Final[list[_Parameter]]

def parameters(function: Callable[..., Any]) -> list[_Parameter]: ...
def is_async_generator_function(function: Callable[..., Any]) -> bool: ...
def is_generator_function(function: Callable[..., Any]) -> bool: ...
def runs_as_coroutine(function: Callable[..., Any]) -> bool: ...
def is_coroutine_function(function: Callable[..., Any]) -> bool: ...

"""Computations behind an old value."""

from collections.abc import Mapping
from typing import Any, Literal

from everwarm._native import Turn

def begin(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], turn: Turn) -> None: ...
def begin_task(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], turn: Turn) -> None: ...
def context_of(function: Any) -> Literal["copy", "empty"]: ...

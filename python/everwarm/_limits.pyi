"""Computations that may outlast their caller: on a thread of the pool, or as a task."""

from collections.abc import Mapping
from typing import Any

from everwarm._function import Function
from everwarm._native import Turn, Wanted

class Deadline:
    """When the time of a call is over that may leave its computation."""

    def __init__(self, limit: float | None) -> None: ...
    def left(self, turn: Turn) -> float: ...
    async def computed(
        self,
        function: Function[..., Any] | Wanted,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        turn: Turn,
    ) -> Any: ...

def computed(
    function: Function[..., Any] | Wanted,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    turn: Turn,
    left: float | None,
) -> Any: ...

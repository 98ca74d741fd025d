"""Collecting: single ids that are asked for at about the same time become one call of the function."""

from collections.abc import Callable
from typing import Any

from everwarm._batch_steps import _Steps  # pyright: ignore[reportPrivateUsage]
from everwarm._ids import Call

class Window:
    """Where the calls of one function for single ids gather."""

    def __init__(
        self,
        function: Callable[..., Any],
        is_async: bool,
        seconds: float,
        size: int | None,
        tenant: object,
    ) -> None: ...
    def steps(self, call: Call) -> _Steps[Any]: ...

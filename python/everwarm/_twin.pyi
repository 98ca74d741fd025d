"""The a-twin of a verb."""

from collections.abc import Callable, Coroutine
from typing import Any

def twin(
    verb: Callable[..., Any], begin: Callable[..., Any] | None = None
) -> Callable[..., Coroutine[Any, Any, Any]]: ...

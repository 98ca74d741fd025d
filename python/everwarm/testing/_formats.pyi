"""What formats promise, as checks."""

from collections.abc import Iterable
from typing import Any

NAMES: tuple[str, ...]

def spring(*_arguments: object) -> None: ...
def outcome(format: Any, values: Iterable[Any], name: str, annotation: object) -> bool | str | None: ...

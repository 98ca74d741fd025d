"""Arrays and scalars of numpy as bytes, and back."""

from typing import Any

ARRAY: int
SCALAR: int

def taken(kind: int, obj: Any) -> tuple[list[Any], Any]: ...
def made(kind: int, said: list[Any], content: Any, is_shared: bool) -> Any: ...

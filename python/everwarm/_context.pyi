"""What a function may ask of the computation that it runs in, and say of its result."""

from datetime import timedelta
from types import EllipsisType
from typing import Any, Final, final

DO_NOT_STORE: Final = 0

@final
class Context:
    """The computation that a cached function runs in."""

    old: Any
    has_old: bool
    age: float
    etag: str | None
    ttl: float | timedelta | str | EllipsisType | None
    tags: set[str]
    def __init__(self, old: tuple[Any, float, str | None] | None = None) -> None: ...
    def skip(self) -> None: ...
    def not_modified(self) -> Any: ...

def context() -> Context: ...
def take(lead: int) -> tuple[Any, set[str], bool, str | None] | None: ...

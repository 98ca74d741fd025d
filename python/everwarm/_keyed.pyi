"""Markers for `Annotated` that say how a parameter takes part in the key."""

from collections.abc import Callable
from typing import Any, final

@final
class NotKeyed:
    """The parameter is no part of the key: `Annotated[Session, NotKeyed]`."""

@final
class Keyed:
    """The parameter is keyed by an attribute of it, or by what a function makes of it.

    `Annotated[User, Keyed(by="id")]`
    """

    def __init__(self, *, by: str | Callable[[Any], object]) -> None: ...
    @property
    def by(self) -> str | Callable[[Any], object]: ...
    def function(self) -> Callable[[Any], object]: ...

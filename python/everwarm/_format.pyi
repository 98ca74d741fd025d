"""Formats: how values become bytes."""

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from everwarm._native import Format

_C = TypeVar("_C", bound=type)

class _Serializer(Protocol):
    @property
    def dumps(self) -> Callable[[Any], bytes]: ...
    @property
    def loads(self) -> Callable[[bytes], Any]: ...

_Given: TypeAlias = (
    Literal["msgpack", "json", "arrow", "pickle"]
    | tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
    | _Serializer
)

NAMES: tuple[str, ...]

class Unfit(Exception): ...

def format_of(
    given: _Given = "msgpack",
    annotation: object = None,
    *,
    limit: int | None = None,
    items: type | None = None,
) -> Format: ...
def register(class_: _C, /) -> _C: ...

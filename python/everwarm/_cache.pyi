"""The cache: a decorator, and a table of objects."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar, overload

from typing_extensions import Self, Unpack

from everwarm._config import Description
from everwarm._function import Function
from everwarm._objects import Objects
from everwarm._policy import (
    Policy,
    PolicyKeywords,
    _OfCall,  # pyright: ignore[reportPrivateUsage]
    _Tags,  # pyright: ignore[reportPrivateUsage]
)
from everwarm._presets import Preset
from everwarm._result import Stats, WhatIf
from everwarm.testing import ManualClock

_Eviction: TypeAlias = Literal["adaptive", "sieve", "s3_fifo", "lru", "lfu", "fifo", "ttl"]
_Cause: TypeAlias = Literal["capacity", "expired", "replaced", "deleted", "invalidated", "cleared"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Writer = TypeVar("_Writer", bound=Callable[..., Any])

class Cache(Objects):
    """A bounded cache; call it to decorate a function, or use its own entries by key."""

    namespace: Final[str]
    max_entries: Final[int | None]
    max_bytes: Final[int | None]
    eviction: Final[_Eviction]
    policy: Final[Policy]

    def __init__(  # pyright: ignore[reportInconsistentConstructor]
        self,
        stores: str | list[str] | tuple[str, ...] | None = None,
        *,
        namespace: str = "",
        max_entries: int | None = 10_000,
        max_bytes: int | str | None = None,
        eviction: _Eviction = "adaptive",
        weigher: Callable[[Any], int] | None = None,
        policy: Policy | None = None,
        on_remove: Callable[[Any, Any, _Cause], object] | None = None,
        clock: ManualClock | None = None,
    ) -> None: ...
    @classmethod
    def from_env(cls, prefix: str = "EVERWARM_") -> Self: ...
    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Self: ...
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> Function[_P, _R]: ...
    @overload
    def __call__(
        self, policy: Policy | None = None, /, **keywords: Unpack[PolicyKeywords]
    ) -> Callable[[Callable[_P, _R]], Function[_P, _R]]: ...
    @property
    def minimal(self) -> Preset: ...
    @property
    def production(self) -> Preset: ...
    @property
    def dev(self) -> Preset: ...
    @property
    def test(self) -> Preset: ...
    @property
    def local(self) -> Preset: ...
    def describe(self) -> Description: ...
    def _leave(self) -> None: ...
    def invalidates(
        self,
        *,
        tags: _Tags | _OfCall[Iterable[str]] = (),
        keys: _Tags | _OfCall[Iterable[object]] = (),
    ) -> Callable[[_Writer], _Writer]: ...
    def stats(self) -> Stats: ...
    def what_if(self) -> WhatIf: ...

cache: Cache

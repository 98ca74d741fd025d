"""The cache: a decorator, and a table of objects."""

from collections.abc import Callable, Iterable
from typing import Any, Final, ParamSpec, TypeVar, overload

from typing_extensions import Unpack

from everwarm._function import Function
from everwarm._policy import Policy, PolicyKeywords, _Duration, _Tags  # pyright: ignore[reportPrivateUsage]
from everwarm._result import Stats
from everwarm.testing import ManualClock

_P = ParamSpec("_P")
_R = TypeVar("_R")
_T = TypeVar("_T")

class Cache:
    """A bounded cache; call it to decorate a function, or use its own entries by key."""

    namespace: Final[str]
    max_entries: Final[int]
    policy: Final[Policy]

    def __init__(
        self,
        stores: str | None = None,
        *,
        namespace: str = "",
        max_entries: int = 10_000,
        policy: Policy | None = None,
        clock: ManualClock | None = None,
    ) -> None: ...
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> Function[_P, _R]: ...
    @overload
    def __call__(
        self, policy: Policy | None = None, /, **keywords: Unpack[PolicyKeywords]
    ) -> Callable[[Callable[_P, _R]], Function[_P, _R]]: ...

    # A key is any object whose content can be encoded, lists and dicts included: no narrower type says that.
    @overload
    def get(self, key: object) -> Any | None: ...
    @overload
    def get(self, key: object, default: _T) -> Any | _T: ...
    def set(self, key: object, value: object, *, ttl: _Duration | None = ..., tags: _Tags = ()) -> None: ...
    def delete(self, key: object) -> bool: ...
    def __contains__(self, key: object, /) -> bool: ...
    @overload
    def invalidate_tags(self, tags: Iterable[str], /) -> None: ...
    @overload
    def invalidate_tags(self, *tags: str) -> None: ...
    def clear(self) -> None: ...
    def stats(self) -> Stats: ...
    def sweep(self) -> int: ...

cache: Cache

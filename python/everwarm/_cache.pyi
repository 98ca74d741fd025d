"""The cache: a decorator, and a table of objects."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeAlias, TypeVar, overload

from typing_extensions import Self, Unpack

from everwarm._batch import (
    _K,  # pyright: ignore[reportPrivateUsage]
    _V,  # pyright: ignore[reportPrivateUsage]
    Batch,
    Batching,
    _AnyBatch,  # pyright: ignore[reportPrivateUsage]
    _Awaited,  # pyright: ignore[reportPrivateUsage]
    _Details,  # pyright: ignore[reportPrivateUsage]
    _Group,  # pyright: ignore[reportPrivateUsage]
    _List,  # pyright: ignore[reportPrivateUsage]
    _Row,  # pyright: ignore[reportPrivateUsage]
)
from everwarm._config import Description
from everwarm._copy import Copied
from everwarm._function import Function
from everwarm._health import Health
from everwarm._keyring import Keyring
from everwarm._limiter import Limiter, _Kind  # pyright: ignore[reportPrivateUsage]
from everwarm._lock import Lock
from everwarm._moving import Moving
from everwarm._objects import Objects
from everwarm._policy import (
    Policy,
    PolicyKeywords,
    _Duration,  # pyright: ignore[reportPrivateUsage]
    _Format,  # pyright: ignore[reportPrivateUsage]
    _OfCall,  # pyright: ignore[reportPrivateUsage]
    _Tags,  # pyright: ignore[reportPrivateUsage]
)
from everwarm._presets import Preset
from everwarm._result import Stats, TierStats, WhatIf
from everwarm._semaphore import Semaphore
from everwarm._store import Store
from everwarm._tier import Tier
from everwarm._unit_of_work import UnitOfWork
from everwarm.testing import ManualClock

_Eviction: TypeAlias = Literal["adaptive", "sieve", "s3_fifo", "lru", "lfu", "fifo", "ttl"]
_Cause: TypeAlias = Literal["capacity", "expired", "replaced", "deleted", "invalidated", "cleared"]

# A store: its URL, or an object that keeps to `everwarm.Store`.
_Tier: TypeAlias = str | Store | Tier | Moving

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
        stores: _Tier | Sequence[_Tier] | None = None,
        *,
        namespace: str = "",
        max_entries: int | None = 10_000,
        max_bytes: int | str | None = None,
        eviction: _Eviction = "adaptive",
        weigher: Callable[[Any], int] | None = None,
        policy: Policy | None = None,
        on_remove: Callable[[Any, Any, _Cause], object] | None = None,
        on_background_error: Callable[[BaseException], object] | None = None,
        clock: ManualClock | None = None,
        format: _Format = "msgpack",
        compression: str | None = None,
        compression_threshold: int | str = "1KiB",
        max_value: int | str = "16MiB",
        keyring: Keyring | None = None,
        on_tamper: Literal["miss", "raise"] = "miss",
        tenant: ContextVar[Any] | None = None,
        strict: bool = False,
        max_computations: int | None = None,
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
    @property
    def secure(self) -> Preset: ...
    def describe(self) -> Description: ...
    def _leave(self) -> None: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Row, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Row, _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Row, _P], Mapping[_K, _V]], /
    ) -> Batch[_Row, _K, _P, _V, _List[_V]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Group, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Group, _K, _P, _V, _Awaited[dict[_K, _V]]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Group, _P], Mapping[_K, _V]], /
    ) -> Batch[_Group, _K, _P, _V, dict[_K, _V]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Details, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Details, _Details, _P, _V, _Awaited[dict[_K, _V]]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[_Details, _P], Mapping[_K, _V]], /
    ) -> Batch[_Details, _Details, _P, _V, dict[_K, _V]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[list[_K], _P], Coroutine[Any, Any, Sequence[_V]]], /
    ) -> Batch[list[_K], _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[list[_K], _P], Sequence[_V]], /
    ) -> Batch[list[_K], _K, _P, _V, _List[_V]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[tuple[_K, ...], _P], Coroutine[Any, Any, Sequence[_V]]], /
    ) -> Batch[tuple[_K, ...], _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def batch(
        self, function: Callable[Concatenate[tuple[_K, ...], _P], Sequence[_V]], /
    ) -> Batch[tuple[_K, ...], _K, _P, _V, _List[_V]]: ...
    # Methods, and what is named by `argument=`: parameters that stand elsewhere cannot be told apart.
    @overload
    def batch(
        self, function: Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any], /
    ) -> _AnyBatch: ...
    @overload
    def batch(
        self,
        policy: Policy | None = None,
        /,
        *,
        argument: str | None = None,
        chunk: int | None = None,
        collect: _Duration | None = None,
        **keywords: Unpack[PolicyKeywords],
    ) -> Batching: ...
    def invalidates(
        self,
        *,
        tags: _Tags | _OfCall[Iterable[str]] = (),
        keys: _Tags | _OfCall[Iterable[object]] = (),
        delay: _Duration | None = None,
    ) -> Callable[[_Writer], _Writer]: ...
    def unit_of_work(
        self, *, delay: _Duration | None = None, mark_before: bool = False, timeout: _Duration = "30s"
    ) -> UnitOfWork: ...
    def lock(self, name: str, *, ttl: _Duration = "30s", wait: _Duration | None = None) -> Lock: ...
    def semaphore(
        self, name: str, permits: int, *, ttl: _Duration = "30s", wait: _Duration | None = None
    ) -> Semaphore: ...
    def limiter(
        self,
        name: str,
        *,
        rate: str,
        kind: _Kind = "token_bucket",
        burst: int | None = None,
        wait: _Duration | None = None,
    ) -> Limiter: ...
    def stats(self) -> Stats: ...
    def tiers(self) -> tuple[TierStats, ...]: ...
    def health(self, level: Literal["ping", "basic", "full"] = "basic") -> Health: ...
    async def ahealth(self, level: Literal["ping", "basic", "full"] = "basic") -> Health: ...
    def copy_to(
        self,
        other: Cache,
        *,
        after: str | None = None,
        progress: Callable[[Copied], object] | None = None,
        rate: int | None = None,
    ) -> Copied: ...
    async def acopy_to(
        self,
        other: Cache,
        *,
        after: str | None = None,
        progress: Callable[[Copied], object] | None = None,
        rate: int | None = None,
    ) -> Copied: ...
    def what_if(self) -> WhatIf: ...

cache: Cache

"""Batches: functions over many ids at once, of which each is an entry of its own."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from types import GenericAlias
from typing import (
    Any,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    overload,
    type_check_only,
)

from typing_extensions import Self, Unpack

from everwarm._cache import Cache
from everwarm._explain import Explanation
from everwarm._function import Bound, Function
from everwarm._ids import Argument
from everwarm._policy import Policy, _Duration  # pyright: ignore[reportPrivateUsage]
from everwarm._result import Result, Stats
from everwarm._using import Options, Using

_Ids = TypeVar("_Ids")
_Each = TypeVar("_Each")
_P = ParamSpec("_P")
_V = TypeVar("_V")
_Out_co = TypeVar("_Out_co", covariant=True)
_K = TypeVar("_K")
_Row = TypeVar("_Row", bound=Sequence[Any])
_Group = TypeVar("_Group", bound=AbstractSet[Any])
_Details = TypeVar("_Details", bound=Mapping[Any, Any])

_Awaited: TypeAlias = Coroutine[Any, Any, _V]
_List: TypeAlias = list[_V | None]
_AnyBatch: TypeAlias = Batch[Any, Any, ..., Any, Any]

class Batch(Generic[_Ids, _Each, _P, _V, _Out_co]):
    """A decorated function over a collection of ids.

    `_Ids` is that collection and `_Each` what stands in its place for a single id, `_P` are the other
    parameters, `_V` is a value and `_Out_co` what a call gives.
    """

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]
    policy: Final[Policy]

    def __init__(
        self,
        one: Function[..., Any],
        function: Callable[..., Any],
        argument: Argument,
        chunk: int | None,
    ) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    def __call__(self, ids: _Ids, /, *args: _P.args, **kwargs: _P.kwargs) -> _Out_co: ...
    @property
    def uncached(self) -> Callable[..., Any]: ...
    @overload
    def load(
        self: Batch[_Ids, _Each, _P, _V, Coroutine[Any, Any, object]],
        each: _Each,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Coroutine[Any, Any, _V | None]: ...
    @overload
    def load(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> _V | None: ...
    @overload
    def call(
        self: Batch[_Ids, _Each, _P, _V, Coroutine[Any, Any, list[_V | None]]],
        ids: _Ids,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Coroutine[Any, Any, list[Result[_V | None]]]: ...
    @overload
    def call(
        self: Batch[_Ids, _Each, _P, _V, Coroutine[Any, Any, dict[_K, _V]]],
        ids: _Ids,
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Coroutine[Any, Any, dict[_K, Result[_V | None]]]: ...
    @overload
    def call(
        self: Batch[_Ids, _Each, _P, _V, list[_V | None]], ids: _Ids, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> list[Result[_V | None]]: ...
    @overload
    def call(
        self: Batch[_Ids, _Each, _P, _V, dict[_K, _V]], ids: _Ids, /, *args: _P.args, **kwargs: _P.kwargs
    ) -> dict[_K, Result[_V | None]]: ...
    def refresh(self, ids: _Ids, /, *args: _P.args, **kwargs: _P.kwargs) -> _Out_co: ...
    def using(self, /, **options: Unpack[Options]) -> Using[Concatenate[_Ids, _P], _Out_co]: ...
    def key(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> str: ...
    def peek(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> Result[_V | None] | None: ...
    def explain(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> Explanation: ...
    def invalidate(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...
    def mark_stale(self, each: _Each, /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...
    def invalidate_many(self, ids: Iterable[Any], /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...
    def prime(self, values: Mapping[_Each, _V | None], /, *args: _P.args, **kwargs: _P.kwargs) -> None: ...
    def clear(self) -> None: ...
    def stats(self) -> Stats: ...
    def __set_name__(self, owner: type | None, name: str | None) -> None: ...
    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None, /) -> Any: ...

class BoundBatch(Bound):
    """A batch that is a method, with its instance: called and asked without it."""

    def prime(self, /, *args: Any, **kwargs: Any) -> None: ...

class ClassBatch(classmethod[Any, ..., Any]):
    """A batch that is a class method."""

    def __get__(self, instance: object, owner: type | None = None) -> BoundBatch: ...

@type_check_only
class Batching(Protocol):
    """Decorates functions as batches.

    What takes a list, a tuple or another sequence gives a list, what takes a set or a mapping a dict.
    """

    @overload
    def __call__(
        self, function: Callable[Concatenate[_Row, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Row, _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Row, _P], Mapping[_K, _V]], /
    ) -> Batch[_Row, _K, _P, _V, _List[_V]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Group, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Group, _K, _P, _V, _Awaited[dict[_K, _V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Group, _P], Mapping[_K, _V]], /
    ) -> Batch[_Group, _K, _P, _V, dict[_K, _V]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Details, _P], Coroutine[Any, Any, Mapping[_K, _V]]], /
    ) -> Batch[_Details, _Details, _P, _V, _Awaited[dict[_K, _V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[_Details, _P], Mapping[_K, _V]], /
    ) -> Batch[_Details, _Details, _P, _V, dict[_K, _V]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[list[_K], _P], Coroutine[Any, Any, Sequence[_V]]], /
    ) -> Batch[list[_K], _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[list[_K], _P], Sequence[_V]], /
    ) -> Batch[list[_K], _K, _P, _V, _List[_V]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[tuple[_K, ...], _P], Coroutine[Any, Any, Sequence[_V]]], /
    ) -> Batch[tuple[_K, ...], _K, _P, _V, _Awaited[_List[_V]]]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[tuple[_K, ...], _P], Sequence[_V]], /
    ) -> Batch[tuple[_K, ...], _K, _P, _V, _List[_V]]: ...
    # Methods, and what is named by `argument=`: parameters that stand elsewhere cannot be told apart.
    @overload
    def __call__(
        self, function: Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any], /
    ) -> _AnyBatch: ...

def batch(
    cache: Cache,
    wrapped: Callable[..., Any] | classmethod[Any, ..., Any] | staticmethod[..., Any],
    policy: Policy,
    argument: str | None = None,
    chunk: int | None = None,
    collect: _Duration | None = None,
) -> _AnyBatch | ClassBatch | staticmethod[..., Any]: ...

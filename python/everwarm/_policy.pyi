"""How a function or a cache keeps its entries."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar, final, overload, type_check_only

from typing_extensions import Never, Self, Unpack

_Duration: TypeAlias = float | timedelta | str

# A bare string is an iterable of one-letter strings, so `Iterable[str]` would let `tags="user"` pass.
_Tags: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]

_DependsOn: TypeAlias = Literal["source", "nothing"]

@type_check_only
class _Codec(Protocol):
    """A format of one's own; `name`, if there is one, tells it from others in stored values."""

    def dumps(self, value: Any, /) -> bytes: ...
    def loads(self, data: bytes, /) -> Any: ...

_Format: TypeAlias = (
    Literal["msgpack", "json", "arrow", "pickle"]
    | tuple[Callable[[Any], bytes], Callable[[bytes], Any]]
    | _Codec
)

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

@type_check_only
class _AnyCall(Protocol[_T_co]):
    """A callable with any parameters; overloaded, so that pyright takes those of a lambda from elsewhere."""

    @overload
    def __call__(self, *args: Any, **kwargs: Any) -> _T_co: ...
    @overload
    def __call__(  # type: ignore[overload-cannot-match]  # pyright: ignore[reportOverlappingOverload]
        self, *args: Any, **kwargs: Any
    ) -> _T_co: ...

# Called with the arguments of the function itself. Where any parameters are allowed, those of a lambda are
# unknown to pyright's strict mode, so the short lists are spelt out.
_OfCall: TypeAlias = (
    Callable[[Any], _T] | Callable[[Any, Any], _T] | Callable[[Any, Any, Any], _T] | _AnyCall[_T]
)

@type_check_only
class PolicyKeywords(TypedDict, total=False):
    """The keywords of `Policy`, of `cache(...)` and of `Policy.replace`."""

    ttl: _Duration | None
    jitter: float
    cache_none: bool
    when: Callable[[Any], bool] | None
    key: str | _OfCall[object] | None
    tags: _Tags | _OfCall[Iterable[str]]
    tags_from_result: Callable[[Any], Iterable[str]] | None
    version: str
    name: str | None
    max_entry_bytes: int | str | None
    isolate: bool
    max_items: int
    format: _Format | None
    schema: str | None
    depends_on: _DependsOn | None
    tenant: str | ContextVar[Any] | _OfCall[object] | None
    encrypted: bool
    strict: bool | None

@final
class Policy:
    """Everything a decorated function may be told, frozen."""

    def __init__(
        self,
        *,
        ttl: _Duration | None = ...,
        jitter: float = 0.0,
        cache_none: bool = True,
        when: Callable[[Any], bool] | None = None,
        key: str | _OfCall[object] | None = None,
        tags: _Tags | _OfCall[Iterable[str]] = (),
        tags_from_result: Callable[[Any], Iterable[str]] | None = None,
        version: str = "",
        name: str | None = None,
        max_entry_bytes: int | str | None = None,
        isolate: bool = False,
        max_items: int = 10_000,
        format: _Format | None = None,
        schema: str | None = None,
        depends_on: _DependsOn | None = None,
        tenant: str | ContextVar[Any] | _OfCall[object] | None = None,
        encrypted: bool = False,
        strict: bool | None = None,
    ) -> None: ...
    def replace(self, **keywords: Unpack[PolicyKeywords]) -> Self: ...
    @property
    def ttl(self) -> _Duration | None: ...
    @property
    def jitter(self) -> float: ...
    @property
    def cache_none(self) -> bool: ...
    @property
    def when(self) -> Callable[[Any], bool] | None: ...
    @property
    def key(self) -> str | Callable[..., object] | None: ...
    @property
    def tags(self) -> tuple[str, ...] | Callable[..., Iterable[str]]: ...
    @property
    def tags_from_result(self) -> Callable[[Any], Iterable[str]] | None: ...
    @property
    def version(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def max_entry_bytes(self) -> int | str | None: ...
    @property
    def isolate(self) -> bool: ...
    @property
    def max_items(self) -> int: ...
    @property
    def format(self) -> _Format | None: ...
    @property
    def schema(self) -> str | None: ...
    @property
    def depends_on(self) -> _DependsOn | None: ...
    @property
    def tenant(self) -> str | ContextVar[Any] | Callable[..., object] | None: ...
    @property
    def encrypted(self) -> bool: ...
    @property
    def strict(self) -> bool | None: ...
    def __setattr__(self, name: str, value: object) -> Never: ...
    def __delattr__(self, name: str) -> Never: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def check_format(format: _Format) -> None: ...

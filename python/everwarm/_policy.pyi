"""How a function or a cache keeps its entries."""

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import timedelta
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, TypeVar, final, overload, type_check_only

from typing_extensions import Never, Self, Unpack

_Duration: TypeAlias = float | timedelta | str

# A bare string is an iterable of one-letter strings, so `Iterable[str]` would let `tags="user"` pass.
_Tags: TypeAlias = list[str] | tuple[str, ...] | set[str] | frozenset[str]

# Classes of exceptions as `except` names them.
_Exceptions: TypeAlias = type[Exception] | tuple[type[Exception], ...]
# A checker cannot say that the keys are classes of exceptions, tuples of these, and None.
_ByException: TypeAlias = dict[Any, _Duration]
# What stands in for a value: a function of the exception, or the value itself.
_Fallback: TypeAlias = Callable[[Exception], object] | object
# Here too one bare string would pass for several.
_Index: TypeAlias = list[str] | tuple[str, ...] | Literal[True]

_DependsOn: TypeAlias = Literal["source", "nothing"]

# What was before, and what makes a value of today of one of then.
_Upgrade: TypeAlias = (
    Mapping[str, Callable[[Any], object] | None]
    | list[str]
    | tuple[str | tuple[str, Callable[[Any], object] | None], ...]
)

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

    ttl: _Duration | Callable[[Any], _Duration | None] | None
    jitter: float
    refresh_ahead: float | str | None
    refresh_every: _Duration | None
    sliding: bool | float
    sliding_max_age: _Duration
    stale_while_revalidate: _Duration | None
    serve_stale_next_time: bool
    stale_if_error: _Duration | None
    stale_if_error_on: _Exceptions | None
    error_backoff: _Duration
    fallback: _Fallback
    negative_ttl: _Duration | _ByException | None
    negative_on: _Exceptions | None
    negative_growth: float
    negative_max_ttl: _Duration | None
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
    upgrade: _Upgrade
    tenant: str | ContextVar[Any] | _OfCall[object] | None
    encrypted: bool
    strict: bool | None
    index: _Index | None
    refresh_context: Literal["copy", "empty"]
    soft_timeout: _Duration | None
    hard_timeout: _Duration | None
    on_timeout: Literal["store", "discard"]
    wait_timeout: _Duration
    max_computations: int | None
    on_cancel: Literal["hand_over", "continue"]

@final
class Policy:
    """Everything a decorated function may be told, frozen."""

    def __init__(
        self,
        *,
        ttl: _Duration | Callable[[Any], _Duration | None] | None = ...,
        jitter: float = 0.0,
        refresh_ahead: float | str | None = None,
        refresh_every: _Duration | None = None,
        sliding: bool | float = False,
        sliding_max_age: _Duration = "30d",
        stale_while_revalidate: _Duration | None = None,
        serve_stale_next_time: bool = False,
        stale_if_error: _Duration | None = None,
        stale_if_error_on: _Exceptions | None = None,
        error_backoff: _Duration = 10,
        fallback: _Fallback = ...,
        negative_ttl: _Duration | _ByException | None = None,
        negative_on: _Exceptions | None = None,
        negative_growth: float = 1.0,
        negative_max_ttl: _Duration | None = None,
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
        upgrade: _Upgrade = (),
        tenant: str | ContextVar[Any] | _OfCall[object] | None = None,
        encrypted: bool = False,
        strict: bool | None = None,
        index: _Index | None = None,
        refresh_context: Literal["copy", "empty"] = "copy",
        soft_timeout: _Duration | None = None,
        hard_timeout: _Duration | None = None,
        on_timeout: Literal["store", "discard"] = "store",
        wait_timeout: _Duration = "30s",
        max_computations: int | None = None,
        on_cancel: Literal["hand_over", "continue"] = "hand_over",
    ) -> None: ...
    def replace(self, **keywords: Unpack[PolicyKeywords]) -> Self: ...
    @property
    def ttl(self) -> _Duration | Callable[[Any], _Duration | None] | None: ...
    @property
    def jitter(self) -> float: ...
    @property
    def refresh_ahead(self) -> float | str | None: ...
    @property
    def refresh_every(self) -> _Duration | None: ...
    @property
    def sliding(self) -> bool | float: ...
    @property
    def sliding_max_age(self) -> _Duration: ...
    @property
    def stale_while_revalidate(self) -> _Duration | None: ...
    @property
    def serve_stale_next_time(self) -> bool: ...
    @property
    def stale_if_error(self) -> _Duration | None: ...
    @property
    def stale_if_error_on(self) -> _Exceptions | None: ...
    @property
    def error_backoff(self) -> _Duration: ...
    @property
    def fallback(self) -> _Fallback: ...
    @property
    def negative_ttl(self) -> _Duration | _ByException | None: ...
    @property
    def negative_on(self) -> _Exceptions | None: ...
    @property
    def negative_growth(self) -> float: ...
    @property
    def negative_max_ttl(self) -> _Duration | None: ...
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
    def upgrade(self) -> tuple[tuple[str, Callable[[Any], object] | None], ...]: ...
    @property
    def tenant(self) -> str | ContextVar[Any] | Callable[..., object] | None: ...
    @property
    def encrypted(self) -> bool: ...
    @property
    def strict(self) -> bool | None: ...
    @property
    def index(self) -> tuple[str, ...] | Literal[True] | None: ...
    @property
    def refresh_context(self) -> Literal["copy", "empty"]: ...
    @property
    def soft_timeout(self) -> _Duration | None: ...
    @property
    def hard_timeout(self) -> _Duration | None: ...
    @property
    def on_timeout(self) -> Literal["store", "discard"]: ...
    @property
    def wait_timeout(self) -> _Duration: ...
    @property
    def max_computations(self) -> int | None: ...
    @property
    def on_cancel(self) -> Literal["hand_over", "continue"]: ...
    def __setattr__(self, name: str, value: object) -> Never: ...
    def __delattr__(self, name: str) -> Never: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

def check_format(format: _Format) -> None: ...
def refuse_limits(
    policy: Policy, wrapped: Callable[..., Any], kind: str, reason: str, *others: str
) -> None: ...
def refuse_items(cache: Any, wrapped: Callable[..., Any], policy: Policy) -> None: ...

"""How often something is done, among threads, tasks and processes."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, TypeVar

from typing_extensions import Self

from everwarm._cache import Cache
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

_Kind: TypeAlias = Literal["token_bucket", "fixed_window", "sliding_window"]
_F = TypeVar("_F", bound=Callable[..., Any])

class Decision(_Frozen):
    """What a limiter said; true if it allowed."""

    allowed: bool
    remaining: int
    retry_after: float
    def __bool__(self) -> bool: ...

class Limiter:
    """So many in so long: made by `cache.limiter(name, rate="100/1m")`."""

    name: str
    rate: str
    kind: _Kind
    def __init__(
        self,
        cache: Cache,
        name: str,
        rate: str,
        kind: _Kind,
        burst: int | None,
        wait: _Duration | None,
    ) -> None: ...
    def try_acquire(self, n: int = 1, *, key: object = None) -> Decision: ...
    async def atry_acquire(self, n: int = 1, *, key: object = None) -> Decision: ...
    def acquire(self, n: int = 1, *, key: object = None, wait: _Duration | None = ...) -> bool: ...
    async def aacquire(self, n: int = 1, *, key: object = None, wait: _Duration | None = ...) -> bool: ...
    def __call__(self, function: _F) -> _F: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(self, *_: object) -> None: ...

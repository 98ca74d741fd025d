"""One tier behind memory."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, final

from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]
from everwarm._store import Store

OPTIONS: tuple[str, ...]
LAYERS: dict[str, bool | int]

@final
class Tier(_Frozen):
    """A store as a tier, with what its URL cannot say where it is an object."""

    def __init__(
        self,
        store: str | Store,
        *,
        ttl: float | timedelta | str | None = None,
        write: Literal["through", "behind", "around"] | None = None,
        timeout: float | timedelta | str | None = None,
        breaker: bool | None = None,
        retry: bool | None = None,
        bulkhead: int | Literal[False] | None = None,
    ) -> None: ...
    @property
    def store(self) -> str | Store: ...
    @property
    def ttl(self) -> float | None: ...
    @property
    def write(self) -> Literal["through", "behind", "around"] | None: ...
    @property
    def timeout(self) -> float | None: ...
    @property
    def breaker(self) -> bool | None: ...
    @property
    def retry(self) -> bool | None: ...
    @property
    def bulkhead(self) -> int | Literal[False] | None: ...

def of_options(scheme: str, options: Mapping[str, str]) -> tuple[Tier, dict[str, str]]: ...

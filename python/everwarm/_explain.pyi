"""Why a call would be a hit or a miss, as a value and as a sentence."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, final

from everwarm._function import Function
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

_Reason: TypeAlias = Literal[
    "fresh",
    "stale",
    "held",
    "stale_if_error",
    "remembered",
    "computing",
    "disabled",
    "refused",
    "never_stored",
    "expired",
    "evicted",
    "invalidated",
    "cleared",
    "marked_stale",
    "not_storable",
    "unknown",
]

@final
class Explanation(_Frozen):
    """Why a call would be a hit or a miss; its `str` is a sentence that says what to do."""

    @property
    def status(self) -> Literal["hit", "stale", "miss", "follower", "bypass", "refused"]: ...
    @property
    def reason(self) -> _Reason: ...
    @property
    def by(self) -> str | None: ...
    @property
    def argument(self) -> str | None: ...
    @property
    def types(self) -> tuple[str, str] | None: ...
    @property
    def age(self) -> float | None: ...
    @property
    def ttl(self) -> float | None: ...
    @property
    def refresh_in(self) -> float | None: ...
    @property
    def stale_for(self) -> float | None: ...
    @property
    def fallback_for(self) -> float | None: ...
    @property
    def retry_in(self) -> float | None: ...
    @property
    def soft_timeout(self) -> float | None: ...
    @property
    def hard_timeout(self) -> float | None: ...
    @property
    def wait_timeout(self) -> float | None: ...
    @property
    def tiers(self) -> tuple[str, ...]: ...
    @property
    def schema(self) -> str | None: ...
    @property
    def key(self) -> str: ...
    @property
    def sentence(self) -> str: ...

def explain(
    function: Function[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Explanation: ...

"""Why a call would be a hit or a miss, as a value and as a sentence."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, final

from everwarm._function import Function
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

_Reason: TypeAlias = Literal[
    "fresh",
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
    def status(self) -> Literal["hit", "miss", "follower", "bypass", "refused"]: ...
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
    def key(self) -> str: ...
    @property
    def sentence(self) -> str: ...

def explain(
    function: Function[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Explanation: ...

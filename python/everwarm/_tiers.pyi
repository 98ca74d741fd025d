"""The tiers of a cache."""

from collections.abc import Sequence
from typing import Literal, final

from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

BUILT_IN: tuple[str, ...]

@final
class Tier(_Frozen):
    """One tier behind memory."""

    @property
    def store(self) -> object: ...
    @property
    def ttl(self) -> float | None: ...
    @property
    def write(self) -> Literal["through", "behind", "around"]: ...

def memory(stores: object, known: Sequence[str]) -> dict[str, str] | None: ...
def shared(stores: object, known: Sequence[str]) -> list[Tier]: ...
def directories(stores: object) -> list[str] | None: ...
def dependence(stores: object) -> Literal["source", "nothing"]: ...

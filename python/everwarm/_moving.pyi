"""A cache on its way from one store to another."""

from typing import Literal, final

from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]
from everwarm._store import Store
from everwarm._tier import Tier

@final
class Moving(_Frozen):
    """An old store and a new one as the last tier of a cache that moves, step by step."""

    def __init__(
        self, old: str | Store | Tier, new: str | Store | Tier, step: Literal["prepare", "move", "finish"]
    ) -> None: ...
    @property
    def old(self) -> str | Store | Tier: ...
    @property
    def new(self) -> str | Store | Tier: ...
    @property
    def step(self) -> Literal["prepare", "move", "finish"]: ...

"""How a cache seals what it stores, but for the keyring."""

from typing import Literal, final

from everwarm._keyring import Keyring
from everwarm._native import Codec
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

@final
class Sealing(_Frozen):
    """What a cache is told of it."""

    def __init__(
        self,
        *,
        compression: str | None,
        compression_threshold: int | str,
        max_value: int | str,
        on_tamper: Literal["miss", "raise"],
    ) -> None: ...
    @property
    def compression(self) -> str | None: ...
    @property
    def compression_threshold(self) -> int | str: ...
    @property
    def max_value(self) -> int | str: ...
    @property
    def on_tamper(self) -> Literal["miss", "raise"]: ...
    def codec(self, keyring: Keyring | None) -> Codec: ...

SEALING: Sealing

"""Keys."""

from collections.abc import Callable
from os import PathLike
from typing import final

from typing_extensions import Self

from everwarm import _native

@final
class Keyring(_native.Keyring):
    """The keys that entries are sealed with."""

    @classmethod
    def from_env(cls, name: str) -> Self: ...
    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> Self: ...
    @classmethod
    def from_callback(
        cls, ask: Callable[[], str | bytes | list[str | bytes] | tuple[str | bytes, ...]]
    ) -> Self: ...
    @classmethod
    def from_password(cls, password: str, *, salt: str | bytes) -> Self: ...
    @classmethod
    def from_text(cls, text: str) -> Self: ...

def check(keyring: object) -> None: ...
def of_user(outside: list[str]) -> Keyring: ...

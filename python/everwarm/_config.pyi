"""What a cache takes where it was told nothing."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypedDict, final, type_check_only

from typing_extensions import Unpack

from everwarm._cache import _Eviction  # pyright: ignore[reportPrivateUsage]
from everwarm._keyring import Keyring
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

@final
class Taken(_Frozen):
    """The value of a field, and where it was taken from."""

    @property
    def value(self) -> Any: ...
    @property
    def source(self) -> str: ...

@final
class Setting:
    """A field that configuration may say."""

    variable: str
    default: Any
    check: Callable[[Any], object]
    read: Callable[[str], Any]
    of_memory: bool
    def __init__(
        self,
        variable: str,
        default: Any,
        check: Callable[[Any], object],
        read: Callable[[str], Any] = ...,
        of_memory: bool = False,
    ) -> None: ...

_Layer: TypeAlias = dict[str, Taken]

SETTINGS: Final[dict[str, Setting]]
MEMORY_OPTIONS: Final[tuple[str, ...]]

@type_check_only
class Settings(TypedDict, total=False):
    """The keywords of `configure`."""

    namespace: str
    max_entries: int | None
    max_bytes: int | str | None
    eviction: _Eviction
    ttl: _Duration | None
    disabled: bool
    keyring: Keyring | None

def layer(values: Mapping[str, Any], source: str) -> _Layer: ...
def environment(prefix: str = "EVERWARM_") -> _Layer: ...
def project() -> _Layer: ...
def fill(own: _Layer) -> _Layer: ...
def alone(own: _Layer) -> _Layer: ...
def masked(stores: Taken) -> Taken: ...
def check() -> None: ...
def configured() -> _Layer: ...
def restore(said: _Layer) -> None: ...
def configure(
    stores: str | list[str] | tuple[str, ...] | None = None, **settings: Unpack[Settings]
) -> None: ...

@final
class Description(_Frozen):
    """The fields of a cache as they are, with where each was taken from."""

    @property
    def fields(self) -> Mapping[str, Taken]: ...
    def __getitem__(self, name: str, /) -> Taken: ...
    def __hash__(self) -> int: ...

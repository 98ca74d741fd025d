"""``copy_to``: what one cache has in its stores, in those of another."""

from collections.abc import Callable
from typing import final

from everwarm._cache import Cache
from everwarm._result import _Frozen  # pyright: ignore[reportPrivateUsage]

@final
class Copied(_Frozen):
    """How far a copy is."""

    @property
    def seen(self) -> int: ...
    @property
    def copied(self) -> int: ...
    @property
    def there(self) -> int: ...
    @property
    def gone(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def checked(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def place(self) -> str | None: ...

def copy(
    cache: Cache,
    other: Cache,
    after: str | None,
    progress: Callable[[Copied], object] | None,
    rate: int | None,
) -> Copied: ...
async def acopy(
    cache: Cache,
    other: Cache,
    after: str | None,
    progress: Callable[[Copied], object] | None,
    rate: int | None,
) -> Copied: ...

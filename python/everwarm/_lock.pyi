"""A lock among threads, tasks and processes."""

from everwarm._cache import Cache
from everwarm._lease import Leased
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]

class Lock(Leased):
    """A lock that ends: made by `cache.lock(name)`."""

    def __init__(self, cache: Cache, name: str, ttl: _Duration, wait: _Duration | None) -> None: ...
    @property
    def token(self) -> int: ...

"""A semaphore among threads, tasks and processes."""

from everwarm._cache import Cache
from everwarm._lease import Leased
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]

class Semaphore(Leased):
    """Permits that end: made by `cache.semaphore(name, permits)`."""

    permits: int
    def __init__(
        self, cache: Cache, name: str, permits: int, ttl: _Duration, wait: _Duration | None
    ) -> None: ...

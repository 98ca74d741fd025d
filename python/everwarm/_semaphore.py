"""A semaphore: so many holders at a time, among threads, tasks and the processes that share a store."""

from __future__ import annotations

from everwarm._errors import ConfigError
from everwarm._lease import Leased

_MOST = 1_000


class Semaphore(Leased):
    """Permits that end: made by ``cache.semaphore(name, permits)``.

    Each permit is a lease of the cache's last store, as a ``Lock`` is. Permits of a holder that has died are
    free again after ``ttl``. One thread or task may hold several.

    >>> from everwarm import Cache
    >>> reports = Cache(namespace="reports").semaphore("render", 2, wait=0)
    >>> reports.acquire(), reports.acquire(), reports.acquire()
    (True, True, False)
    >>> reports.release()
    >>> reports.acquire()
    True
    """

    __slots__ = ("permits",)

    _what = "semaphore"

    def __init__(self, cache, name, permits, ttl, wait):
        if type(permits) is not int or not 1 <= permits <= _MOST:
            raise ConfigError(
                f"permits is a whole number from 1 to {_MOST:,}\nhint: write `cache.semaphore({name!r}, 4)`"
            )
        self.permits = permits
        self._begin(cache, name, permits, ttl, wait)

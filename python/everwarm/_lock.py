"""A lock: one holder at a time, among threads, tasks and the processes that share a store."""

from __future__ import annotations

from everwarm._errors import NotHeld
from everwarm._lease import Leased


class Lock(Leased):
    """A lock that ends: made by ``cache.lock(name)``.

    It is a lease of the cache's last store. While it is held it is renewed; when its holder dies, another may
    have it after ``ttl``. It is for threads (``with``) and tasks (``async with``).

    >>> from everwarm import Cache
    >>> jobs = Cache(namespace="jobs")
    >>> with jobs.lock("nightly") as lock:
    ...     lock.locked()
    True
    >>> lock.locked()
    False
    """

    __slots__ = ()

    _what = "lock"

    def __init__(self, cache, name, ttl, wait):
        self._begin(cache, name, None, ttl, wait)

    @property
    def token(self):
        """A number larger than that of every earlier holder: what the lock protects may refuse smaller ones.

        Raises ``NotHeld`` while it is not held. The idea is from Kleppmann, How to do distributed locking
        (2016).
        """
        held = tuple(self._held)
        if not held:
            raise NotHeld(f"the lock {self.name!r} has a token while it is held\nhint: acquire it first")
        return held[-1][0].token

    def _keep(self, holding, owner):
        # One that was lost, and never released, is forgotten.
        self._held[:] = [(holding, owner)]

"""What locks and semaphores have in common: permits that are leases."""

from __future__ import annotations

import time

from everwarm import _native, _sweeper
from everwarm._errors import ConfigError, NotHeld, Timeout
from everwarm._naps import Naps, asker, awaited, limit, passed

# A lease is renewed at a third of its ttl, by a thread that looks several times a second.
_SHORTEST = 1.0


class Leased:
    """Permits of a name: taken, renewed while they are held, given back."""

    __slots__ = ("_held", "_permits", "_wait", "name")

    _what = "permit"

    def _begin(self, cache, name, permits, ttl, wait):
        if not isinstance(name, str) or not name:
            raise ConfigError(
                f"the name of a {self._what} is a text that is not empty\n"
                f'hint: write `cache.{self._what}("nightly")`'
            )
        seconds = _native.seconds(ttl)
        if seconds is not None and seconds < _SHORTEST:
            raise ConfigError(
                f"a {self._what} with a ttl of less than a second cannot be renewed in time\n"
                'hint: write `ttl="30s"`: how long others wait for a holder that has died'
            )
        self.name = name
        self._wait = limit(wait)
        self._permits = _native.Permits(cache, name, permits, ttl)
        # The permits that are held through this object, each with who took it.
        self._held = []

    def acquire(self, *, wait=...):
        """Takes a permit; whether it was free within ``wait``.

        ``wait`` is a duration, 0 for not at all, None for as long as it takes; left out, that of the object.
        """
        return passed(self._asking(wait))

    async def aacquire(self, *, wait=...):
        """As ``acquire``, awaited. A task that is cancelled while it waits holds nothing."""
        return await awaited(self._asking(wait))

    def release(self):
        """Gives the permit back.

        Raises ``NotHeld`` if it was not held: never acquired, or lost since.
        """
        if not self._held:
            raise NotHeld(
                f"the {self._what} {self.name!r} was released by who does not hold it\n"
                "hint: acquire it first; `with` does both"
            )
        holding = self._held.pop()[0]
        if holding.is_parents:
            raise NotHeld(
                f"the {self._what} {self.name!r} is held by the process that this one was forked from\n"
                "hint: the parent releases it; acquire another in the child"
            )
        if not holding.release():
            raise NotHeld(
                f"the {self._what} {self.name!r} was lost before it was released: its lease was not renewed "
                "within its ttl, and somebody else may have had it since\n"
                "hint: take a longer ttl, and refuse older writes by the lock's `token`"
            )

    async def arelease(self):
        """As ``release``, awaited."""
        self.release()

    def locked(self):
        """Whether it is held through this object, as its store knows."""
        return any(holding.renew() for holding, _ in tuple(self._held))

    async def alocked(self):
        """As ``locked``, awaited."""
        return self.locked()

    def _asking(self, wait):
        naps = Naps(self._wait if wait is ... else limit(wait))
        owner = asker()
        while (holding := self._permits.acquire(id(owner), time.time_ns() // 1_000)) is None:
            pause = naps.next()
            if pause is None:
                return False
            yield pause
        self._keep(holding, owner)
        _sweeper.hasten(self._permits.table())
        return True

    def _keep(self, holding, owner):
        # Who took it is kept alive, so that nobody else is taken for them.
        self._held.append((holding, owner))

    def _refused(self):
        return Timeout(
            f"the {self._what} {self.name!r} was not free in time\n"
            "hint: wait longer, or catch `Timeout` and do without"
        )

    def __enter__(self):
        if not self.acquire():
            raise self._refused()
        return self

    def __exit__(self, kind, *_):
        self._leave(kind)

    async def __aenter__(self):
        if not await self.aacquire():
            raise self._refused()
        return self

    async def __aexit__(self, kind, *_):
        self._leave(kind)

    def _leave(self, kind):
        try:
            self.release()
        except NotHeld:
            # The block's own error says more.
            if kind is None:
                raise

    def __repr__(self):
        return f"<everwarm.{type(self).__name__} {self.name!r}>"

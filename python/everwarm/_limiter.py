"""A limiter: how often something is done, among threads, tasks and the processes that share a store."""

from __future__ import annotations

from functools import wraps

from everwarm import _native, _sweeper
from everwarm._errors import ConfigError, Timeout
from everwarm._naps import Naps, awaited, limit, passed
from everwarm._result import _Frozen
from everwarm._signature import is_coroutine_function


class Decision(_Frozen):
    """What a limiter said; true if it allowed.

    * ``allowed``: whether the permits were granted.
    * ``remaining``: how many more could be had at once.
    * ``retry_after``: seconds for which asking again would be in vain; 0.0 if they were granted.
    """

    __slots__ = ("allowed", "remaining", "retry_after")

    def __bool__(self):
        return self.allowed


class Limiter:
    """So many in so long: made by ``cache.limiter(name, rate="100/1m")``.

    It counts in the cache's last store, by the store's own clock. Each ``key`` is counted by itself.

    >>> from everwarm import Cache
    >>> from everwarm.testing import ManualClock
    >>> clock = ManualClock()
    >>> api = Cache(clock=clock).limiter("api", rate="2/1m")
    >>> [api.try_acquire(key="ada").allowed for _ in range(3)], api.try_acquire(key="bob").remaining
    ([True, True, False], 1)
    >>> api.try_acquire(key="ada")
    Decision(allowed=False, remaining=0, retry_after=30.0)
    >>> clock.advance(30)
    >>> bool(api.try_acquire(key="ada"))
    True
    """

    __slots__ = ("_native", "_wait", "kind", "name", "rate")

    def __init__(self, cache, name, rate, kind, burst, wait):
        if not isinstance(name, str) or not name:
            raise ConfigError(
                "the name of a limiter is a text that is not empty\n"
                'hint: write `cache.limiter("api", rate="100/1m")`'
            )
        if not isinstance(rate, str) or not isinstance(kind, str):
            raise ConfigError(
                "the rate and the kind of a limiter are texts\n"
                'hint: write `rate="100/1m"`, and `kind="fixed_window"` for another kind'
            )
        if burst is not None and (type(burst) is not int or burst < 1):
            raise ConfigError("burst is a whole number of at least 1\nhint: write `burst=20` for 20 at once")
        self.name, self.rate, self.kind = name, rate, kind
        self._wait = limit(wait)
        self._native = _native.Limiter(cache, name, rate, kind, burst)
        _sweeper.watch(self._native.table())

    def try_acquire(self, n=1, *, key=None):
        """Asks for ``n`` permits of ``key`` and does not wait: a ``Decision``."""
        allowed, remaining, retry_after = self._native.take(self._checked(n), key)
        return Decision(allowed=allowed, remaining=remaining, retry_after=retry_after)

    async def atry_acquire(self, n=1, *, key=None):
        """As ``try_acquire``, awaited."""
        return self.try_acquire(n, key=key)

    def acquire(self, n=1, *, key=None, wait=...):
        """Waits until ``n`` permits of ``key`` are granted; False at once, if that takes longer than it may.

        ``wait`` is a duration, 0 for not at all, None for as long as it takes; left out, that of the object.
        """
        return passed(self._asking(self._checked(n), key, wait))

    async def aacquire(self, n=1, *, key=None, wait=...):
        """As ``acquire``, awaited."""
        return await awaited(self._asking(self._checked(n), key, wait))

    def _checked(self, n):
        if type(n) is not int or n < 1:
            raise ConfigError(
                "permits are asked for by a whole number of at least 1\nhint: leave `n` out for one"
            )
        if n > self._native.burst:
            raise ConfigError(
                f"{n:,} permits are never granted at once by a limiter of {self.rate}\n"
                f"hint: ask for {self._native.burst:,} at most, or raise the rate or `burst`"
            )
        return n

    def _asking(self, n, key, wait):
        naps = Naps(self._wait if wait is ... else limit(wait))
        while True:
            allowed, _, retry_after = self._native.take(n, key)
            if allowed:
                return True
            if retry_after > naps.left:
                return False
            # Asked again before that if a test's clock is what it waits for.
            yield min(retry_after, naps.next() or 0.0)

    def __call__(self, function):
        """Decorates a function: each call waits for a permit, or raises ``Timeout`` in the end."""
        if isinstance(function, type) or not callable(function):
            raise ConfigError(
                f"a limiter decorates functions, not {type(function).__name__}\n"
                "hint: write `@limiter` above `def`"
            )
        if is_coroutine_function(function):

            @wraps(function)
            async def limited(*args, **keywords):
                async with self:
                    return await function(*args, **keywords)
        else:

            @wraps(function)
            def limited(*args, **keywords):
                with self:
                    return function(*args, **keywords)

        return limited

    def _refused(self):
        return Timeout(
            f"the limiter {self.name!r} had no permit in time\n"
            "hint: wait longer, or catch `Timeout` and do without"
        )

    def __enter__(self):
        if not self.acquire():
            raise self._refused()
        return self

    def __exit__(self, *_):
        pass

    async def __aenter__(self):
        if not await self.aacquire():
            raise self._refused()
        return self

    async def __aexit__(self, *_):
        pass

    def __repr__(self):
        return f"<everwarm.Limiter {self.name!r}: {self.rate}, {self.kind}>"

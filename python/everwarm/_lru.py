"""``lru_cache``: what ``functools.lru_cache`` does, with single flight, coroutine functions and the verbs.

As there, calls are told apart by the arguments' own ``__hash__`` and ``==`` and by the order of keywords, all
entries stay in memory, and the least recently used one makes room. Of what is configured it takes only
whether the process is disabled.
"""

from __future__ import annotations

import sys

from everwarm import _config, _native
from everwarm._cache import Cache
from everwarm._errors import Unsupported
from everwarm._function import Function, decorate
from everwarm._policy import Policy
from everwarm._signature import ANY, is_generator_function


class LruFunction(Function):
    """A function decorated by ``lru_cache``."""

    __slots__ = ()

    def cache_info(self):
        """``(hits, misses, maxsize, currsize)``, counted since ``cache_clear``."""
        from everwarm._cache_info import CacheInfo

        counters, before = self.stats(), self._before
        hits, misses = counters.hits - before[0], counters.misses + counters.bypass - before[1]
        return CacheInfo(hits, misses, self._maxsize, counters.entries)

    def cache_clear(self):
        """Lets all entries go, and has ``cache_info`` count from zero."""
        self.clear()
        counters = self.stats()
        self._before = counters.hits, counters.misses + counters.bypass

    def cache_parameters(self):
        """``{"maxsize": ..., "typed": ...}``."""
        return {"maxsize": self._maxsize, "typed": self._typed}


_native.seal(LruFunction)


class _Alone(Cache):
    """The cache of one such function, which configuration says nothing about but that it is disabled."""

    def _filled(self):
        return _config.alone(self._own)


def lru_cache(maxsize=128, typed=False):
    """Decorates a function as ``functools.lru_cache`` does.

    * ``maxsize``: how many entries are kept; None for no bound, 0 or less for none at all.
    * ``typed``: whether equal arguments of different types have entries of their own.

    Raises ``TypeError`` for a ``maxsize`` that is no whole number, as a call does for what has no hash.

    >>> from everwarm import lru_cache
    >>> @lru_cache(maxsize=32)
    ... def square(x: int) -> int:
    ...     return x * x
    >>> square(3), square(3), square.cache_info()
    (9, 9, CacheInfo(hits=1, misses=1, maxsize=32, currsize=1))
    """
    if callable(maxsize) and isinstance(typed, bool):
        return _decorated(maxsize, 128, False)
    if maxsize is not None and not isinstance(maxsize, int):
        raise TypeError("Expected first argument to be an integer, a callable, or None")
    bound = None if maxsize is None else max(maxsize, 0)
    return lambda function: _decorated(function, bound, typed)


def _decorated(function, maxsize, typed):
    if is_generator_function(function):
        raise Unsupported(
            f"{getattr(function, '__qualname__', function)} gives a generator, which can be read only once\n"
            "hint: decorate it with `@cache`, which replays the items"
        )
    cache = _Alone._of(_config.layer({"max_entries": maxsize or sys.maxsize, "eviction": "lru"}, "argument"))
    policy = Policy(key=_native.Own(bool(typed), maxsize != 0))
    decorated = decorate(cache, function, policy, LruFunction, ANY)
    decorated.__dict__.update(_maxsize=maxsize, _typed=typed, _before=(0, 0))
    return decorated

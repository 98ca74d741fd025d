"""Time under the control of a test."""

from __future__ import annotations

from contextlib import contextmanager

from everwarm import _native
from everwarm._cache import cache

__all__ = ["ManualClock", "clock"]


class ManualClock(_native.Hand):
    """A clock that moves when told to; give it to ``Cache(clock=...)``.

    >>> from everwarm import Cache
    >>> from everwarm.testing import ManualClock
    >>> clock = ManualClock()
    >>> numbers = Cache(clock=clock)
    >>> numbers.set("one", 1, ttl="1m")
    >>> clock.advance(59.9)
    >>> numbers.get("one")
    1
    >>> clock.advance(0.1)
    >>> numbers.get("one") is None
    True
    """

    __slots__ = ()


@contextmanager
def clock(hand):
    """The default cache reads ``hand``, a ``ManualClock``, inside the ``with`` block.

    >>> from everwarm import cache
    >>> from everwarm.testing import ManualClock, clock
    >>> with clock(ManualClock()) as now:
    ...     cache.set("a", 1, ttl=5)
    ...     now.advance(5)
    ...     cache.get("a") is None
    True
    """
    hand.attach(cache._resolve())
    try:
        yield hand
    finally:
        hand.detach(cache._resolve())

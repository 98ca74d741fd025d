"""What tests want: time under their control, and how often a function was computed."""

from __future__ import annotations

from contextlib import contextmanager

from everwarm import _native
from everwarm._cache import cache
from everwarm._errors import ConfigError
from everwarm.testing._chaos import chaos
from everwarm.testing._follow import follow
from everwarm.testing._proxy import FaultProxy
from everwarm.testing._stand_in import force, record, replay, slow

__all__ = [
    "FaultProxy",
    "ManualClock",
    "assert_computed",
    "chaos",
    "clock",
    "computed_times",
    "follow",
    "force",
    "open_store",
    "record",
    "replay",
    "run_due",
    "slow",
]


class ManualClock(_native.Hand):
    """A clock that moves when told to; give it to ``Cache(clock=...)``.

    * ``ManualClock(start=0)`` stands at ``start`` seconds.
    * ``advance(by)`` moves it on by seconds, a ``timedelta`` or ``"1m"``; never back.
    * ``now`` is where it stands, in seconds.

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


def open_store(url, *, clock=None):
    """A native store with the methods of ``everwarm.Store`` and of all facets that it offers.

    ``url`` is ``"memory://"``, ``"disk:///directory"`` or ``"file:///directory"``; ``clock`` is a
    ``ManualClock`` that it reads.
    ``again()`` gives another handle on the same place, ``facets`` the names of what it offers.

    Raises ``ConfigError`` for a URL that cannot be meant, ``StoreError`` if the store does not open; its
    verbs raise ``StoreError``, and ``Closed`` after ``close()``.

    >>> from everwarm.testing import open_store
    >>> store = open_store("memory://")
    >>> store.set("name", b"value", None)
    >>> store.get("name")
    (b'value', None, 1)
    >>> store.again().delete("name")
    True
    """
    return _native.open_store(url, clock)


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
    if not isinstance(hand, _native.Hand):
        raise ConfigError(
            f"clock takes a ManualClock, not {type(hand).__name__}\nhint: write `with clock(ManualClock()):`"
        )
    cache._hold(hand)
    try:
        yield hand
    finally:
        cache._let_go(hand)


def run_due(cache):
    """Begins the refreshes of ``refresh_every`` that are due by the clock of a cache; how many there were.

    A thread does so for caches that read the system's clock; one with a ``ManualClock`` waits for this. What
    was begun runs in the background.

    >>> import time
    >>> from everwarm import Cache
    >>> from everwarm.testing import ManualClock, run_due
    >>> clock = ManualClock()
    >>> versions = iter(range(1, 100))
    >>> @Cache(clock=clock)(ttl=60, refresh_every=20)
    ... def rates() -> int:
    ...     return next(versions)
    >>> rates(), rates()
    (1, 1)
    >>> clock.advance(20)
    >>> run_due(rates._cache)
    1
    >>> while rates.peek().value == 1:
    ...     time.sleep(0.001)
    >>> rates()
    2
    """
    from everwarm import _timed

    return _timed.run_due(cache)


class computed_times:
    """Counts how often a decorated function is computed inside the ``with`` block; compares with integers.

    Computations of followers count once, with their leader's; calls past the cache do not count.

    >>> from everwarm import Cache
    >>> from everwarm.testing import computed_times
    >>> @Cache()
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> with computed_times(double) as times:
    ...     double(1), double(1), double(2)
    (2, 2, 4)
    >>> assert times == 2
    """

    __slots__ = ("_before", "_function", "_total")

    def __init__(self, function):
        if not callable(getattr(function, "stats", None)):
            raise ConfigError(
                f"computed_times takes a decorated function, not {type(function).__name__}\n"
                "hint: write `with computed_times(price) as times:`"
            )
        self._function = function
        self._before = self._total = None

    def __enter__(self):
        self._before, self._total = self._function.stats().computations, None
        return self

    def __exit__(self, *raised):
        self._total = self.count

    @property
    def count(self):
        """How often, so far."""
        if self._total is not None or self._before is None:
            return self._total or 0
        return self._function.stats().computations - self._before

    def __index__(self):
        return self.count

    __int__ = __index__

    def __eq__(self, other):
        if isinstance(other, computed_times):
            other = other.count
        return self.count == other if isinstance(other, int) else NotImplemented

    __hash__ = None

    def __repr__(self):
        name = getattr(self._function, "__qualname__", repr(self._function))
        return f"<{name} computed {self.count} times>"


@contextmanager
def assert_computed(function, times):
    """Fails unless a decorated function is computed exactly ``times`` times inside the ``with`` block.

    Raises ``AssertionError``; what the block itself raises comes first.

    >>> from everwarm import Cache
    >>> from everwarm.testing import assert_computed
    >>> @Cache()
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> with assert_computed(double, 1):
    ...     double(1), double(1)
    (2, 2)
    """
    with computed_times(function) as counted:
        yield counted
    if counted != times:
        name = getattr(function, "__qualname__", repr(function))
        raise AssertionError(f"{name} was computed {counted.count} times, not {times}")

"""A store that fails, is slow and loses bytes, as seldom or as often as a test wants."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import ConfigError


def chaos(store, *, seed, error=0.0, delay=0.0, delay_by="10ms", corrupt=0.0):
    """``store`` behind faults by chance: a store object for ``Cache(stores=[...])``.

    * ``store``: a URL that ``open_store`` takes, what it gave, or a store of your own.
    * ``seed``: the same seed makes the same faults, where operations come in the same order.
    * ``error``: how likely an operation fails, from 0 to 1. Half of those that fail were done nevertheless,
      and their answer is lost.
    * ``delay``: how likely it is slow, by ``delay_by``, which holds up the thread or the task that asks.
    * ``corrupt``: how likely the bytes of an entry come back with a bit changed, or cut off.

    Raises ``ConfigError`` for what is no probability. The idea is from Netflix's Chaos Monkey (2011) and
    Polly's chaos strategies.

    >>> from everwarm import Cache
    >>> from everwarm.testing import chaos
    >>> shop = Cache([chaos("memory://", seed=1, error=0.5, corrupt=0.5)])
    >>> @shop(name="double")
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> [double(3) for _ in range(100)] == [6] * 100
    True
    """
    if type(seed) is not int or not 0 <= seed < 1 << 64:
        raise ConfigError("seed is a whole number from 0 on, below 2**64\nhint: write `seed=1`")
    for name, odds in ("error", error), ("delay", delay), ("corrupt", corrupt):
        if type(odds) not in (int, float):
            raise ConfigError(f"{name} is a probability, from 0 to 1\nhint: write `{name}=0.1`")
    if isinstance(store, str):
        store = _native.open_store(store, None)
    return _native.chaos_store(store, seed, (error, delay, corrupt), delay_by)

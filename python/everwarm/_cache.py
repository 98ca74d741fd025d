"""The cache: a decorator for functions and a table of its own entries, within one bound."""

from __future__ import annotations

from everwarm import _native, _options
from everwarm._errors import ConfigError, Unsupported
from everwarm._function import decorate
from everwarm._policy import Policy
from everwarm._result import stats


class Cache:
    """A bounded cache in this process's memory; call it to decorate functions.

    * ``stores``: None, for memory alone.
    * ``namespace``: the first part of stored names.
    * ``max_entries``: how many entries its functions and its own verbs may hold together, at least 1.
    * ``policy``: the default ``Policy`` of its functions and of ``set``.
    * ``clock``: an ``everwarm.testing.ManualClock`` that it reads instead of the system's.

    Raises ``ConfigError`` for values that cannot be meant, ``Unsupported`` for stores that are not there.

    >>> from everwarm import Cache
    >>> shop = Cache(namespace="shop", max_entries=1_000)
    >>> @shop(ttl="5m", tags=["sku:{sku}"])
    ... def price(sku: str) -> int:
    ...     return len(sku)
    >>> price("ab"), price("ab"), price.stats().computations
    (2, 2, 1)
    >>> shop.invalidate_tags("sku:ab")
    >>> price("ab"), price.stats().computations
    (2, 2)
    """

    @_options.known
    def __init__(self, stores=None, *, namespace="", max_entries=10_000, policy=None, clock=None):
        if stores is not None and stores != "memory://":
            raise Unsupported(
                f"no store for {_masked(stores)} is built in\nhint: leave `stores` out for memory alone"
            )
        if not isinstance(namespace, str):
            raise ConfigError(
                f'namespace is a text, not {type(namespace).__name__}\nhint: write `namespace="shop"`'
            )
        if policy is not None and not isinstance(policy, Policy):
            raise ConfigError(
                f"policy is a Policy, not {type(policy).__name__}\nhint: write `policy=Policy(ttl=60)`"
            )
        if clock is not None and not isinstance(clock, _native.Hand):
            raise ConfigError("clock is an everwarm.testing.ManualClock\nhint: write `clock=ManualClock()`")
        self._table = _native.Table(max_entries, clock)
        self.namespace = namespace
        self.max_entries = max_entries
        self.policy = Policy() if policy is None else policy

    def __call__(self, function=None, /, **keywords):
        """Decorates a function, or gives the decorator for a policy.

        ``@cache``, ``@cache(ttl=60)`` and ``@cache(policy, ttl=3)`` are its three forms.
        """
        if function is None or isinstance(function, Policy):
            policy = function or self.policy
            policy = policy.replace(**keywords) if keywords else policy
            return lambda wrapped: decorate(self, _decoratable(wrapped), policy)
        wrapped = _decoratable(function)
        return decorate(self, wrapped, self.policy.replace(**keywords) if keywords else self.policy)

    def _resolve(self):
        return self._table

    def get(self, key, default=None):
        """The value under ``key``, else ``default``.

        Raises ``KeyRefused`` for keys that have no canonical form.
        """
        return self._table.get(key, default)

    def set(self, key, value, *, ttl=..., tags=()):
        """Stores ``value`` under ``key``, for ``ttl`` (else that of the cache's policy), with ``tags``.

        The jitter of the cache's policy shortens either.
        """
        self._table.set(key, value, self.policy.ttl if ttl is ... else ttl, self.policy.jitter, tags)

    def delete(self, key):
        """Lets the entry of ``key`` go; whether it was there."""
        return self._table.delete(key)

    def __contains__(self, key):
        return key in self._table

    def invalidate_tags(self, *tags):
        """Lets all entries go that carry one of the tags; also takes one iterable of tags.

        After it returns no call sees a value whose computation began before. It costs the same however many
        entries there are.
        """
        if len(tags) == 1 and not isinstance(tags[0], str):
            tags = tags[0]
        self._table.invalidate_tags(tags)

    def clear(self):
        """Lets all entries go, those of its functions too."""
        self._table.clear()

    def sweep(self):
        """Lets expired entries go at once; how many they were.

        A background thread does it every second anyway.
        """
        return self._table.sweep()

    def stats(self):
        """The counters of all its functions and of its own verbs, as ``Stats``."""
        return stats(self._table.stats())

    def __repr__(self):
        name = f" {self.namespace!r}" if self.namespace else ""
        return f"<everwarm.Cache{name}: {self.stats().entries} of {self.max_entries} entries>"


def _decoratable(function):
    if isinstance(function, type):
        raise ConfigError(
            f"a cache decorates functions, not classes such as {function.__qualname__}\n"
            "hint: decorate its methods, or a function that makes an instance"
        )
    if callable(function) or isinstance(function, (classmethod, staticmethod)):
        return function
    raise ConfigError(
        f"a cache decorates functions, not {type(function).__name__}\n"
        "hint: write `@cache` above `def`, or `@cache(ttl=60)`"
    )


def _masked(stores):
    text = stores if isinstance(stores, str) else type(stores).__name__
    return repr(text.partition("://")[0] + "://...") if "://" in text else text


cache = Cache()

"""Policies with names: what is usually wanted, in one word."""

from __future__ import annotations

from everwarm._policy import _FIELDS, Policy
from everwarm._tier import LAYERS

POLICIES = {
    # Each field said, so that neither the cache's policy nor configuration adds anything.
    "minimal": Policy(**{**_FIELDS, "ttl": None}),
    "production": Policy(ttl="5m", jitter=0.1),
    "dev": Policy(ttl="10s", jitter=0.0, cache_none=False),
    "test": Policy(jitter=0.0, isolate=True),
    "local": Policy(ttl=None),
    "secure": Policy(ttl="5m", jitter=0.1, format="msgpack", encrypted=True),
}


# Services cannot do without them; the others take them as the kind of a store has them.
_LAYERED = ("production", "secure")


class Preset:
    """A cache as a decorator with a policy that has a name; it takes the same keywords.

    ``layers`` are those that a preset needs around stores, as the options of a ``Tier``.

    >>> from everwarm import cache
    >>> cache.production.policy
    Policy(ttl='5m', jitter=0.1)
    >>> cache.production.layers
    {'breaker': True, 'retry': True, 'bulkhead': 64}
    >>> @cache.production(ttl="1h")
    ... def rate(currency: str) -> float:
    ...     return 1.0
    >>> rate.policy
    Policy(ttl='1h', jitter=0.1)
    """

    __slots__ = ("_cache", "layers", "name", "policy")

    def __init__(self, cache, name):
        self._cache = cache
        self.name = name
        self.policy = POLICIES[name]
        self.layers = dict(LAYERS) if name in _LAYERED else {}

    def __call__(self, function=None, /, **keywords):
        """Decorates a function, or gives the decorator with further keywords."""
        decorator = self._cache(self.policy, **keywords)
        return decorator if function is None else decorator(function)

    def __repr__(self):
        return f"<{self.name} of {self._cache!r}: {self.policy!r}>"

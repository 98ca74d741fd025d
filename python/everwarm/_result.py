"""What the verbs tell: a call's result with its circumstances, and counters."""

from __future__ import annotations


class _Frozen:
    """Fields in ``__slots__``, set once."""

    __slots__ = ()

    def __init__(self, **fields):
        for name in self.__slots__:
            object.__setattr__(self, name, fields[name])

    def __setattr__(self, name, value):
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name):
        raise AttributeError(f"{type(self).__name__} is frozen")

    def _fields(self):
        return {name: getattr(self, name) for name in self.__slots__}

    def __eq__(self, other):
        return self._fields() == other._fields() if type(other) is type(self) else NotImplemented

    def __hash__(self):
        return hash(tuple(self._fields().values()))

    def __repr__(self):
        said = (f"{name}={value!r}" for name, value in self._fields().items())
        return f"{type(self).__name__}({', '.join(said)})"

    def __reduce__(self):
        return _rebuilt, (type(self), self._fields())


def _rebuilt(kind, fields):
    return kind(**fields)


class Result(_Frozen):
    """A call's value and how it was come by.

    * ``value``: what the call gives.
    * ``status``: ``"hit"``, ``"stale"`` (an old value, in one of its windows), ``"miss"`` (computed),
      ``"follower"`` (somebody else computed it), ``"refreshed"`` or ``"bypass"``.
    * ``tier``: where it was found, ``"memory"`` or the kind of a store such as ``"disk"``, or None if it was
      computed.
    * ``age``: seconds since it was written; 0.0 if it was computed.
    * ``ttl``: seconds it has left; None if it does not expire or is not stored.
    * ``tags``: the entry's tags.
    * ``key``: the stored name.
    * ``version``: the number of the entry's write, for ``compare_and_set``; 0 if it is not stored.
    * ``why``: one sentence.

    >>> from everwarm import Cache
    >>> @Cache()
    ... def square(x: int) -> int:
    ...     return x * x
    >>> square.call(3).status, square.call(3).status
    ('miss', 'hit')
    """

    __slots__ = ("value", "status", "tier", "age", "ttl", "tags", "key", "version", "why")

    __class_getitem__ = classmethod(type(list[int]))

    def cache_status(self, name="everwarm", *, key=False):
        """A member of an HTTP ``Cache-Status`` field (RFC 9211): was it a hit, and if not, why not.

        * ``name``: what the cache is called there.
        * ``key``: whether the stored name is told.

        Raises ``ConfigError`` for a name that is no printable ASCII.

        >>> from everwarm import Cache
        >>> from everwarm.testing import ManualClock
        >>> @Cache(clock=ManualClock())(ttl=60)
        ... def square(x: int) -> int:
        ...     return x * x
        >>> square.call(3).cache_status()
        'everwarm;fwd=miss;stored;ttl=60'
        >>> square.call(3).cache_status("shop")
        'shop;hit;ttl=60;detail=memory'
        """
        from everwarm._cache_status import member

        return member(self, name, key)


_WHY = {
    "hit": "a fresh entry was there",
    "stale": "an entry was there whose ttl was over, and its policy lets it be served nevertheless",
    "miss": "no fresh entry was there, so the function was called",
    "follower": "another call was computing the same key, and its value was shared",
    "refreshed": "a new computation was asked for",
    "bypass": "the call went past the cache: it was told to, the cache is disabled or closed,"
    " or the arguments do not fit",
}


def result(value, status, age, ttl, tags, key, version, tier):
    """A ``Result`` from what the native side says."""
    return Result(
        value=value,
        status=status,
        tier=tier if status in ("hit", "stale") else None,
        age=age or 0.0,
        ttl=ttl,
        tags=tuple(tags),
        key=key,
        version=version,
        why=_WHY[status],
    )


class Stats(_Frozen):
    """Counters of a function or of a cache, read at one moment.

    * ``calls`` = ``hits`` + ``misses`` + ``stale`` + ``bypass``.
    * ``hits``, ``misses``: a fresh entry was there, or not. Followers are among the misses.
    * ``bypass``: calls that went past the cache; forced refreshes are among them.
    * ``stale``: calls that were given a value whose ttl was over, in one of the windows of the policy.
    * ``refreshes``: computations that were begun in the background for calls that were given an old value.
    * ``computations``: times the function was called to fill an entry.
    * ``followers``: calls that waited for somebody else's computation.
    * ``takeovers``, ``cycles``: computations beside another's: because it did not end, or because
      waiting for it would not have.
    * ``evicted``, ``expired``: entries that left for lack of room, or because their time had come.
    * ``refused``: values that the policy did not store, or that were too heavy.
    * ``errors``: failures of the policy's and the cache's own callables; the call went on nevertheless.
    * ``entries``: how many are held.
    * ``bytes``: what they weigh together; 0 in a cache without ``max_bytes``.
    * ``hit_ratio``: ``hits / calls``; 0.0 before the first call.
    """

    __slots__ = (
        "calls",
        "hits",
        "misses",
        "stale",
        "refreshes",
        "bypass",
        "computations",
        "followers",
        "takeovers",
        "cycles",
        "evicted",
        "expired",
        "refused",
        "errors",
        "entries",
        "bytes",
        "hit_ratio",
    )


class TierStats(_Frozen):
    """What one tier behind memory did for a cache, in this process.

    * ``name``: the kind of its store, such as ``"disk"``.
    * ``hits``, ``misses``: reads that it answered, and for which it had nothing valid.
    * ``sets``: values that were written to it, also to fill it from a farther tier.
    * ``pending``, ``dropped``: writes that wait in the queue of ``write=behind``, or had no room in it.
    * ``errors``: failures by kind, such as ``"timeout"``; only kinds that occurred.
    * ``refused``: what was found and was no value, by class, such as ``"damaged"`` or ``"tampered"``.
    * ``hears``: how its store hears of others, where it has a choice: ``"messages"`` or ``"tracking"``.
    * ``breaker``: ``"closed"``, ``"open"`` or ``"half-open"``; None if there is none.
    * ``unasked``: operations that its ``"breaker"`` or its ``"bulkhead"`` failed; they are among the errors.
    * ``retries``: reads that were done a second time.
    * ``p50``, ``p99``: seconds that half, and 99 of 100, of its operations took at most; None without layers.

    >>> from everwarm import Cache
    >>> from everwarm.testing import open_store
    >>> shop = Cache(["memory://", open_store("memory://")], namespace="shop")
    >>> shop.set("a", 1)
    >>> [(tier.name, tier.sets, tier.errors) for tier in shop.tiers()]
    [('memory', 1, {})]
    """

    __slots__ = (
        "name",
        "hits",
        "misses",
        "sets",
        "pending",
        "dropped",
        "errors",
        "refused",
        "hears",
        "breaker",
        "unasked",
        "retries",
        "p50",
        "p99",
    )

    def __hash__(self):
        return hash(self.name)


class WhatIf(_Frozen):
    """Hit ratios that a cache would have at other sizes; what it counts began with the first question.

    * ``half``, ``twice``: estimates for half and for twice its bounds.
    * ``same``: the hit ratio that it has.
    * ``lookups``: how many lookups these are of; the ratios are None before the first one.
    * ``sampled``: how many of them the estimates are made from.

    >>> from everwarm import Cache
    >>> cache = Cache(max_entries=100)
    >>> cache.what_if().same is None
    True
    >>> cache.set("a", 1)
    >>> cache.get("a"), cache.what_if().same
    (1, 1.0)
    """

    __slots__ = ("half", "same", "twice", "lookups", "sampled")


def stats(counters):
    """``Stats`` from the native counters."""
    calls = counters["hits"] + counters["misses"] + counters["stale"] + counters["bypass"]
    return Stats(calls=calls, hit_ratio=counters["hits"] / calls if calls else 0.0, **counters)


def tier_stats(told):
    """``TierStats`` from the native counters."""
    counted = {name: dict(told[name]) for name in ("errors", "refused", "unasked")}
    return TierStats(**{**told, **counted})

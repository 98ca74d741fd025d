"""The object verbs of a cache: its own entries, under keys of the caller's, for threads and for tasks."""

from __future__ import annotations

import sys
import time

from everwarm import _native
from everwarm._drive import drive
from everwarm._errors import ConfigError
from everwarm._result import result
from everwarm._twin import twin

_get = _native.Objects.get
_aget = twin(_get, _native.Objects._aget)


class Objects(_native.Objects):
    """The verbs that a ``Cache`` has for entries of its own.

    A key is a str, bytes, an int or a tuple of these, or whatever else may be an argument. Every verb that
    could wait has an a-twin: ``await shop.aget("k")``.

    >>> from everwarm import Cache
    >>> shop = Cache(namespace="shop")
    >>> shop.set("a", 1, ttl="1m", tags=["letters"])
    >>> shop.get("a"), shop.get("b"), shop.get("b", 0)
    (1, None, 0)
    >>> shop.add("a", 2), shop.replace("a", 3), shop.exists("a"), "b" in shop
    (False, True, True, False)
    >>> shop.set_many({"b": 2, "c": None})
    >>> shop.get_many(["a", "b", "c", "d"])
    {'a': 3, 'b': 2, 'c': None}
    >>> shop.delete("b"), shop.delete("b"), shop.delete_many(["a", "c", "d"])
    (True, False, 2)
    >>> shop.get_or_compute(("user", 7), lambda: "Ada"), shop.get(("user", 7))
    ('Ada', 'Ada')
    >>> shop.expire(("user", 7), "1h"), shop.touch(("user", 7)), shop.persist(("user", 7))
    (True, True, True)
    >>> shop.ttl(("user", 7)), shop.ttl("nobody")
    (inf, None)
    """

    def get_with_meta(self, key):
        """The entry of ``key`` as a ``Result``, with its age, ttl, tags and version, or None.

        Counts as ``get`` does.

        >>> from everwarm import Cache
        >>> shop = Cache()
        >>> shop.set("a", 1, ttl=60, tags=["letters"])
        >>> found = shop.get_with_meta("a")
        >>> found.value, found.tags, 59 < found.ttl <= 60
        (1, ('letters',), True)
        """
        found = self._seen(key, self.namespace)
        return None if found is None else result(*found)

    def decr(self, key, by=1, *, initial=0, ttl_on_create=None):
        """Takes ``by`` from the int under ``key``; the difference. In all else it is ``incr``.

        >>> from everwarm import Cache
        >>> shop = Cache()
        >>> shop.incr("stock", 5), shop.decr("stock"), shop.decr("left", initial=10)
        (5, 4, 9)
        """
        by = -by if type(by) is int else by
        return self.incr(key, by, initial=initial, ttl_on_create=ttl_on_create)

    def expire_at(self, key, when):
        """Lets an entry expire at ``when``; whether it was there.

        ``when`` is a Unix time in seconds, or a ``datetime`` with a time zone, by the system's calendar, also
        for a cache with a ``ManualClock``. What is past lets it expire at once. Raises ``ConfigError`` for a
        ``datetime`` without a time zone.

        >>> import time
        >>> from everwarm import Cache
        >>> shop = Cache()
        >>> shop.set("a", 1)
        >>> shop.expire_at("a", time.time() + 60), 59 < shop.ttl("a") <= 60
        (True, True)
        >>> shop.expire_at("a", 0), shop.exists("a")
        (True, False)
        """
        left = _unix(when) - time.time()
        return self.expire(key, left) if left > 0 else self.mark_stale(key)

    async def aget_or_compute(self, key, compute, *, ttl=..., tags=()):
        """As ``get_or_compute``, awaited: ``compute()`` gives an awaitable, as a coroutine function does.

        Threads and tasks that ask for one key at once share one computation.
        """
        return await drive(_native.Wanted(self, key, compute, ttl, tags), (), {})

    def close(self):
        """Lets all entries go, for good: its verbs raise ``Closed``, its functions compute and store nothing.

        Work that it has in the background is waited for, a second at most, so that its values are stored;
        what has not begun by then is dropped.
        """
        background = sys.modules.get("everwarm._background")
        if background is not None:
            background.join(self)
        self._end()

    async def aclose(self):
        """As ``close``, awaited: it waits for the tasks on this loop, too."""
        background = sys.modules.get("everwarm._background")
        if background is not None:
            await background.ajoin(self)
        self._end()

    def _end(self):
        timed = sys.modules.get("everwarm._timed")
        if timed is not None:
            timed.forget(self)
        super().close()
        bell = sys.modules.get("everwarm._bell")
        if bell is not None:
            bell.let_go()

    def ascan(self, prefix=""):
        """As ``scan``, for ``async for``."""
        return _each(self.scan(prefix))

    async def aget(self, key, default=None):
        """As ``get``, awaited."""
        # As a twin does it, by fewer steps: this is what tasks ask most.
        value = self._aget_here(key, default) if type(self).get is _get else NotImplemented
        if type(value) is _native.Errand:
            await value
            return value.value()
        return await _aget(self, key, default) if value is NotImplemented else value

    aset = twin(_native.Objects.set, _native.Objects._aset)
    aadd = twin(_native.Objects.add)
    areplace = twin(_native.Objects.replace)
    adelete = twin(_native.Objects.delete)
    aexists = twin(_native.Objects.exists)
    aget_many = twin(_native.Objects.get_many, _native.Objects._aget_many)
    aset_many = twin(_native.Objects.set_many)
    adelete_many = twin(_native.Objects.delete_many)
    aget_with_meta = twin(get_with_meta)
    attl = twin(_native.Objects.ttl)
    aexpire = twin(_native.Objects.expire)
    aexpire_at = twin(expire_at)
    apersist = twin(_native.Objects.persist)
    atouch = twin(_native.Objects.touch)
    aadd_tags = twin(_native.Objects.add_tags)
    amark_stale = twin(_native.Objects.mark_stale)
    aincr = twin(_native.Objects.incr)
    adecr = twin(decr)
    acompare_and_set = twin(_native.Objects.compare_and_set)
    ainvalidate_tags = twin(_native.Objects.invalidate_tags)
    aclear = twin(_native.Objects.clear)
    asweep = twin(_native.Objects.sweep)
    aflush = twin(_native.Objects.flush)
    aping = twin(_native.Objects.ping, _native.Objects._aping)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.aclose()


async def _each(keys):
    for key in keys:
        yield key


def _unix(when):
    """Seconds since 1970 of a moment as users write it."""
    if hasattr(when, "timestamp"):
        if when.utcoffset() is None:
            raise ConfigError(
                "expire_at takes a datetime with a time zone; this one has none\n"
                "hint: write `datetime.now(timezone.utc) + ...`"
            )
        return when.timestamp()
    if type(when) in (int, float) and abs(when) < float("inf"):
        return when
    raise ConfigError(
        f"expire_at takes a Unix time in seconds or an aware datetime, not {type(when).__name__}\n"
        "hint: write `time.time() + 60`, or `expire(key, 60)`"
    )

"""One tier behind memory: its store, and how that is used."""

from __future__ import annotations

from everwarm import _native, _options, _url
from everwarm._errors import ConfigError
from everwarm._result import _Frozen

_WRITES = ("through", "behind", "around")

# What is around a store behind a connection, unless its tier says otherwise.
LAYERS = {"breaker": True, "retry": True, "bulkhead": 64}


class Tier(_Frozen):
    """A store as a tier of ``Cache(stores=[...])``, with what its URL cannot say where it is an object.

    What is None is left to the options of the store's URL, which have the same names, and then to the kind of
    the store.

    * ``store``: its URL, or a store object.
    * ``ttl``: the longest that it keeps anything: seconds, a ``timedelta`` or a text such as ``"10m"``.
    * ``write``: ``"through"``, ``"behind"`` or ``"around"``.
    * ``timeout``: how long one operation may take, as a duration; for stores behind a connection.
    * ``breaker``: whether a store that fails or is slow too often is left alone for a while.
    * ``retry``: whether a read that failed for the moment is done once more.
    * ``bulkhead``: how many operations there are at once, or False for as many as there are.

    The last three are on by default for stores behind a connection, and off for those that answer on the
    thread that asks. Raises ``ConfigError`` for values that cannot be meant, and ``UnknownOption`` for
    other keywords. The ideas are from Nygard, "Release It!" (2007), and from Polly and Resilience4j.

    >>> from everwarm import Cache, Tier
    >>> from everwarm.testing import open_store
    >>> shop = Cache(["memory://", Tier(open_store("memory://"), breaker=True)], namespace="shop")
    >>> [tier.breaker for tier in shop.tiers()]
    ['closed']
    """

    __slots__ = ("store", "ttl", "write", "timeout", "breaker", "retry", "bulkhead")

    @_options.known_alone
    def __init__(self, store, *, ttl=None, write=None, timeout=None, breaker=None, retry=None, bulkhead=None):
        if isinstance(store, Tier):
            raise ConfigError("a tier is no store\nhint: give the store itself, as its URL or object")
        if write is not None and write not in _WRITES:
            hint = _options.nearest(str(write)[:40], _WRITES)
            raise ConfigError(f"there is no way of writing {str(write)[:40]!r}\nhint: {hint}")
        for name, flag in ("breaker", breaker), ("retry", retry):
            if flag is not None and type(flag) is not bool:
                raise ConfigError(f"{name} is True or False\nhint: write `{name}=True`")
        super().__init__(
            store=store,
            ttl=_native.seconds(ttl),
            write=write,
            timeout=_native.seconds(timeout),
            breaker=breaker,
            retry=retry,
            bulkhead=_places(bulkhead),
        )

    def __repr__(self):
        # A URL may have a password in it.
        fields = self._fields()
        if isinstance(self.store, str):
            fields["store"] = _url.shown(self.store)
        said = (f"{name}={value!r}" for name, value in fields.items() if value is not None)
        return f"Tier({', '.join(said)})"

    def _over(self, other, store):
        """This tier where it says something, and the other one else; with this store."""
        theirs = other._fields()
        said = {name: theirs[name] if own is None else own for name, own in self._fields().items()}
        return Tier(**{**said, "store": store})


# How the options of a URL are read.
_READ = {
    "ttl": _url.duration,
    "write": str,
    "timeout": _url.duration,
    "breaker": _url.flag,
    "retry": _url.flag,
    "bulkhead": lambda text: int(text) if text.isdecimal() else _url.flag(text),
}

OPTIONS = tuple(_READ)


def of_options(scheme, options):
    """The tier that the options of a URL make, and the options that are its store's own."""
    said = {}
    for name in options.keys() & _READ.keys():
        try:
            said[name] = _READ[name](options[name])
            Tier(None, **{name: said[name]})
        except ConfigError as error:
            raise ConfigError(f"{scheme}: {name}: {error}") from None
    own = {name: text for name, text in options.items() if name not in _READ or name == "timeout"}
    return Tier(None, **said), own


def _places(bulkhead):
    if bulkhead is None or bulkhead is False or type(bulkhead) is int and 0 < bulkhead <= 1_000_000:
        return bulkhead
    raise ConfigError(
        "bulkhead is a number of operations, from 1 to 1,000,000, or False\nhint: write `bulkhead=64`"
    )

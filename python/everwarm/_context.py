"""What a function may ask of the computation that it runs in, and say of its result."""

from __future__ import annotations

from everwarm import _native
from everwarm._drive import _chain
from everwarm._errors import Unsupported

# A ttl that says: do not store this result.
DO_NOT_STORE = 0

# By lead, those that were asked for. Who never ends is not remembered for ever.
_asked = {}
_MOST = 10_000


class Context:
    """The computation that a cached function runs in.

    * ``old``, ``has_old``: the value that is to be replaced, if it is in one of its windows; None.
    * ``age``: how old that is, in seconds; 0.0 without one.
    * ``etag``: the text that was said of the old value, kept in memory; set it to one for the result.
    * ``ttl``: set it to the ttl of this result: seconds, ``"1h"``, None for no expiry, ``DO_NOT_STORE``.
    * ``tags``: a set of further tags of the result.

    >>> from everwarm import Cache, context
    >>> @Cache(namespace="shop")(ttl="5m")
    ... def price(sku: str) -> int:
    ...     context().tags.add("prices")
    ...     return 3
    >>> price("a"), price.peek("a").tags
    (3, ('prices',))
    """

    __slots__ = ("_skips", "age", "etag", "has_old", "old", "tags", "ttl")

    def __init__(self, old=None):
        self.has_old = old is not None
        self.old, self.age, self.etag = old if old is not None else (None, 0.0, None)
        self.ttl = ...
        self.tags = set()
        self._skips = False

    def skip(self):
        """The result is returned, not stored."""
        self._skips = True

    def not_modified(self):
        """The old value, to be returned: it still holds, and lives anew.

        Raises ``Unsupported`` if there is none.
        """
        if not self.has_old:
            raise Unsupported(
                "there is no old value that could still hold\n"
                "hint: ask `context().has_old` first, and load the value without it"
            )
        return self.old


def context():
    """The ``Context`` of the computation that runs; outside of one, one that nothing comes of."""
    chain = _chain.get()
    if not chain:
        return Context()
    lead = chain[-1]
    found = _asked.get(lead)
    if found is None:
        if len(_asked) >= _MOST:
            _asked.pop(next(iter(_asked)), None)
        found = _asked[lead] = Context(_native.context_of(lead))
    return found


def take(lead):
    """What was said in a computation that ends: ``(ttl, tags, whether it is skipped, etag)``, or None."""
    said = _asked.pop(lead, None)
    return None if said is None else (said.ttl, said.tags, said._skips, said.etag)

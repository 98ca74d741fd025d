"""``Store``: what an object must be to keep a cache's bytes elsewhere."""

from __future__ import annotations


class Store:
    """Where bytes are kept under names: any object with these four methods is a store.

    Inheriting is not necessary; for type checkers it is a protocol. Its methods are called by position, from
    any thread at any time; ``name`` is a ``str``, ``data`` is ``bytes``, ``ttl`` seconds, or None for no end.
    An exception becomes a failure of the store, of a kind by its type. More methods make facets, all
    of one or none of it; ``docs/guide/stores.md`` has the table.

    >>> import time
    >>> class Dictionary:
    ...     def __init__(self):
    ...         self.entries = {}
    ...     def get(self, name):
    ...         data, until = self.entries.get(name, (b"", 0))
    ...         left = None if until is None else until - time.monotonic()
    ...         return (data, left) if left is None or left > 0 else None
    ...     def set(self, name, data, ttl):
    ...         self.entries[name] = (data, None if ttl is None else time.monotonic() + ttl)
    ...     def delete(self, name):
    ...         was = self.get(name) is not None
    ...         self.entries.pop(name, None)
    ...         return was
    ...     def clear(self, prefix):
    ...         for name in [name for name in self.entries if name.startswith(prefix)]:
    ...             self.entries.pop(name, None)
    >>> from everwarm.testing import conformance
    >>> conformance.check(Dictionary, only="store::what_was_set_is_found")
    """

    __slots__ = ()

    def get(self, name, /):
        """What is under the name: ``(data, seconds left or None)``, or None; a version may follow."""
        raise NotImplementedError

    def set(self, name, data, ttl, /):
        """Puts bytes under the name, in place of what was there."""
        raise NotImplementedError

    def delete(self, name, /):
        """Takes away what is under the name; whether something was."""
        raise NotImplementedError

    def clear(self, prefix, /):
        """Takes away all names that begin with the prefix; how many, or None if that is not known."""
        raise NotImplementedError

"""Markers for ``Annotated`` that say how a parameter takes part in the key."""

from __future__ import annotations

from operator import attrgetter

from everwarm._errors import ConfigError


class NotKeyed:
    """The parameter is no part of the key.

    >>> from typing import Annotated
    >>> from everwarm import Cache, NotKeyed
    >>> @Cache()
    ... def price(sku: str, session: Annotated[object, NotKeyed]) -> int:
    ...     return len(sku)
    >>> price("ab", object()), price("ab", object()), price.stats().computations
    (2, 2, 1)
    """

    __slots__ = ()


class Keyed:
    """The parameter is keyed by an attribute, or by what a function makes of it.

    ``by`` is an attribute's name, dotted if need be, or a function of the value.

    >>> from typing import Annotated
    >>> from types import SimpleNamespace
    >>> from everwarm import Cache, Keyed
    >>> @Cache()
    ... def greeting(user: Annotated[SimpleNamespace, Keyed(by="id")]) -> str:
    ...     return f"hello {user.name}"
    >>> greeting(SimpleNamespace(id=3, name="Ada")), greeting(SimpleNamespace(id=3, name="Bob"))
    ('hello Ada', 'hello Ada')
    """

    __slots__ = ("by",)

    def __init__(self, *, by):
        if not (isinstance(by, str) and by) and not callable(by):
            raise ConfigError(
                f"Keyed(by=) takes an attribute's name or a function, not {type(by).__name__}\n"
                'hint: write `Keyed(by="id")` or `Keyed(by=lambda user: user.id)`'
            )
        self.by = by

    def __repr__(self):
        return f"Keyed(by={self.by!r})"

    def function(self):
        """What makes the keyed part of a value."""
        return attrgetter(self.by) if isinstance(self.by, str) else self.by

"""Options that do not exist: the error names the nearest that does."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import UnknownOption


def known(initialize):
    """Has an ``__init__`` raise ``UnknownOption`` for keywords that are not among its parameters.

    The instance remembers as ``_said`` which of them were given. What ``help`` and ``inspect`` show is
    ``initialize`` itself.
    """
    return _refusing(initialize, remembers=True)


def known_alone(initialize):
    """As ``known``, of an instance that need not remember."""
    return _refusing(initialize, remembers=False)


def _refusing(initialize, remembers):
    code = initialize.__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

    def __init__(self, /, *args, **keywords):
        refuse_unknown(keywords, names)
        if remembers:
            object.__setattr__(self, "_said", frozenset((*names[: len(args)], *keywords)))
        initialize(self, *args, **keywords)

    __init__.__qualname__ = initialize.__qualname__
    __init__.__module__ = initialize.__module__
    __init__.__doc__ = initialize.__doc__
    __init__.__wrapped__ = initialize
    return __init__


def refuse_unknown(given, names):
    """Raises ``UnknownOption`` if a key of ``given`` is not among ``names``."""
    unknown = given.keys() - names
    if unknown:
        raise UnknownOption(_native.unknown_option(min(map(str, unknown)), names))


def nearest(name, names):
    """The hint that names the nearest of ``names``, or all of them."""
    return _native.unknown_option(name, names).partition("\nhint: ")[2]

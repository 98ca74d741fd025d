"""The first use of a cache: what configuration may say is there from then on, and where that was."""

from __future__ import annotations

import sys


class FromFirstUse:
    """A field that configuration may say: it is there from the first use on, and asking for it is one.

    Once it is there the interpreter finds it without coming here. A ``__getattr__`` of the class would make
    looking up each of its verbs several times as slow.
    """

    def __set_name__(self, owner, name):
        self._name = name

    def __get__(self, cache, owner=None):
        if cache is None:
            return self
        cache._resolve()
        return cache.__dict__[self._name]


def place_of_use():
    """File and line of the code outside of this package that is being run."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "everwarm":
        frame = frame.f_back
    return "the interpreter" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"

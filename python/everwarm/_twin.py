"""The a-twin of a verb: the same verb for code that awaits, made from the one for threads."""

from __future__ import annotations

from everwarm import _native
from everwarm._drive import _running_loop, awaitable


def twin(verb, begin=None):
    """A coroutine function that does what the verb of that name does, when it is awaited.

    ``begin`` begins it where stores answer later: it gives the value, an errand, or NotImplemented.

    Memory is never waited for, and stores of this host are asked on the thread that awaits. Where others are
    asked, the loop goes on.
    """
    owner, _, name = verb.__qualname__.rpartition(".")

    async def awaited(self, /, *args, **keywords):
        cache = getattr(self, "_cache", self)
        loop = _running_loop()
        if loop is None or not cache._is_far():
            return getattr(self, name)(*args, **keywords)
        if begin is not None and getattr(type(self), name) is verb:
            value = begin(self, *args, **keywords)
            if type(value) is _native.Errand:
                await awaitable(value, loop)
                value = value.value()
            if value is not NotImplemented:
                return value
        from everwarm._aside import aside

        return await aside(lambda: getattr(self, name)(*args, **keywords), cache)

    awaited.__name__ = "a" + name
    awaited.__qualname__ = f"{owner}.a{name}"
    awaited.__doc__ = f"As ``{name}``, awaited."
    awaited.__wrapped__ = verb
    return awaited

"""The a-twin of a verb: the same verb for code that awaits, made from the one for threads."""

from __future__ import annotations


def twin(verb):
    """A coroutine function that does what the verb of that name does, when it is awaited.

    Memory is never waited for, and stores are asked on the thread that awaits.
    """
    owner, _, name = verb.__qualname__.rpartition(".")

    async def awaited(self, /, *args, **keywords):
        return getattr(self, name)(*args, **keywords)

    awaited.__name__ = "a" + name
    awaited.__qualname__ = f"{owner}.a{name}"
    awaited.__doc__ = f"As ``{name}``, awaited."
    awaited.__wrapped__ = verb
    return awaited

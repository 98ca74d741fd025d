"""Verbs that ask stores behind a connection: a thread of the pool does them, while a task waits."""

from __future__ import annotations

from _weakref import ref

from everwarm import _background
from everwarm._drive import _running_loop


async def aside(call, owner):
    """What ``call()`` gives or raises: on the pool, or here if that has no room. ``owner`` is its cache."""
    loop = _running_loop()
    future = None if loop is None else loop.create_future()
    work = None if loop is None else _background.start(_Errand(call, loop, future).run, owner)
    if work is None:
        return call()
    try:
        return await future
    except BaseException:
        _background.withdraw(work)  # nobody waits for it; what has begun goes on
        raise


class _Errand:
    """A call on a thread, whose outcome the loop is told."""

    __slots__ = ("call", "future", "loop")

    def __init__(self, call, loop, future):
        self.call, self.loop, self.future = call, loop, ref(future)

    def run(self):
        try:
            value, error = self.call(), None
        except BaseException as raised:
            value, error = None, raised
        try:
            self.loop.call_soon_threadsafe(self.land, value, error)
        except RuntimeError:  # the loop is closed, and so nobody waits on it any more
            pass

    def land(self, value, error):
        future = self.future()
        if future is None or future.done():
            return
        if error is None:
            future.set_result(value)
        elif isinstance(error, StopIteration):
            future.set_exception(RuntimeError("a verb raised StopIteration"))  # no future takes that
        else:
            future.set_exception(error)

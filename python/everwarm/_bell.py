"""How tasks wait for stores that answer later: one bell for each loop, which wakes all who have an answer."""

from __future__ import annotations

import sys
from _weakref import ref

from everwarm import _native
from everwarm._drive import _running_loop, _wake_up

# The bell of each loop, by the loop's identity.
_bells = {}


class _Bell:
    """The bell of a loop, which is held weakly."""

    __slots__ = ("loop", "native")

    def __init__(self, loop):
        self.loop = ref(loop)
        try:
            self.native = _native.Bell(None, self.loop if hasattr(loop, "remove_reader") else None)
            loop.add_reader(self.native.fileno(), self.native.rung)
        except NotImplementedError:
            self.native = _native.Bell(lambda: loop.call_soon_threadsafe(self.native.rung))

    def is_gone(self):
        loop = self.loop()
        return loop is None or loop.is_closed()


def _bell(loop):
    bell = _bells.get(id(loop))
    if bell is None or bell.loop() is not loop:
        let_go()
        bell = _bells[id(loop)] = _Bell(loop)
    return bell


def let_go():
    """Closes what loops have read that are over: a bell that nobody has does so."""
    for key in [key for key, bell in list(_bells.items()) if bell.is_gone()]:
        _bells.pop(key, None)


def here():
    """The running loop, and its bell."""
    loop = _running_loop()
    bell = _bells.get(id(loop))
    if bell is None or bell.loop() is not loop:
        bell = _bell(loop)
    return loop, bell.native


class _NoLoop:
    """As much of a loop as a future asks for that is done as soon as it is made."""

    def get_debug(self):
        return False


def _over():
    """A future that is done, for tasks of any loop to look at."""
    over = sys.modules["asyncio"].Future(loop=_NoLoop())
    over.set_result(None)
    return over


def ring():
    """What the running task is woken by; without a loop of asyncio's this thread, which stores may block."""
    loop = _running_loop()
    return _native.Ring() if loop is None else _bell(loop).native.ring()


async def rest(ring, seconds):
    """Waits until a ring of the running loop is called, or so many seconds are over; an infinity is none."""
    loop = _running_loop()
    if loop is None:
        ring.rest(seconds)
        return
    bell = _bell(loop).native
    future = loop.create_future()
    bell.expect(ring.number, future)
    timer = None if seconds == float("inf") else loop.call_later(seconds, _wake_up, ref(future))
    try:
        await future
    finally:
        bell.forget(ring.number)
        if timer is not None:
            timer.cancel()


def asked_here(ask):
    """Asks by ``ask(ring)`` until it gives None, as a thread that has nothing else to do in between."""
    own = _native.Ring()
    while (seconds := ask(own)) is not None:
        own.rest(seconds)


def _after_fork():
    """In a forked child the parent's loops are not there."""
    _bells.clear()

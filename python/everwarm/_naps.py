"""Waiting by asking again: how long, and the two ways to pass the time."""

from __future__ import annotations

import time

from everwarm import _native
from everwarm._drive import _library, _pause, _running_loop

# Seconds between two questions, at first and at most.
_FIRST, _LONGEST = 0.001, 0.05


def limit(wait):
    """Seconds that may be waited, from a duration; None is as long as it takes, 0 not at all."""
    if wait is None:
        return float("inf")
    if type(wait) in (int, float) and wait == 0:
        return 0.0
    return _native.seconds(wait)


class Naps:
    """The pauses of one wait, which become longer, and end with it."""

    __slots__ = ("_end", "_next")

    def __init__(self, seconds):
        self._end = time.monotonic() + seconds
        self._next = _FIRST

    @property
    def left(self):
        """Seconds that may still be waited."""
        return self._end - time.monotonic()

    def next(self):
        """How long to pause; None if there is no time left."""
        left = self.left
        if left <= 0:
            return None
        pause, self._next = self._next, min(2 * self._next, _LONGEST)
        return min(pause, left)


def passed(asking):
    """Runs a generator that yields pauses, sleeping through them; what it returns."""
    while True:
        try:
            pause = next(asking)
        except StopIteration as end:
            return end.value
        time.sleep(pause)


async def awaited(asking):
    """As ``passed``, on a loop, whose other tasks run meanwhile."""
    while True:
        try:
            pause = next(asking)
        except StopIteration as end:
            return end.value
        await _pause(pause)


def asker():
    """Who asks: the running task, else the thread."""
    loop = _running_loop()
    if loop is not None:
        task = _library(loop).current_task()
        if task is not None:
            return task
    import threading

    return threading.current_thread()

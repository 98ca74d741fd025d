"""Timed refresh: keys that were read since their last computation are computed anew as time goes by.

One thread for the process notices what is due, and has it computed where everything in the background is:
on the pool, or as a task of the loop that the last caller had. It holds the arguments of no more than
``MOST`` keys of each cache, and of none that was not read since it was last computed.
"""

from __future__ import annotations

import atexit
import os
import threading
from contextvars import Context, copy_context

from everwarm import (
    _background,  # noqa: F401 - so that a child has its pool before it has our thread
    _behind,
    _native,
)
from everwarm._drive import _running_loop

# Keys of each cache.
MOST = 1_000

# The longest that the thread waits, in seconds: the clocks of caches are not its own.
_PACE = 1.0


class _Call:
    """One call that is made again when it is due."""

    __slots__ = ("args", "context", "due", "function", "kwargs", "loop")

    def __init__(self, function, args, kwargs, due):
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.due = due
        self.loop = _running_loop() if function._is_async else None
        self.context = copy_context() if function.policy.refresh_context == "copy" else Context()

    def is_possible(self):
        """Whether there still is a loop for it, if it needs one."""
        return not self.function._is_async or not (self.loop is None or self.loop.is_closed())

    def lead(self):
        """The turn that leads it; None if somebody else has computed it or is about to."""
        return self.context.run(_native.lead_again, self.function, self.args, self.kwargs)

    def begin(self):
        """Has it computed in the background, if it is to be."""
        turn = self.lead() if self.is_possible() else None
        if turn is None:
            return
        if self.loop is None:
            self.context.run(_behind.begin, self.function, self.args, self.kwargs, turn)
            return
        try:
            self.loop.call_soon_threadsafe(
                _behind.begin_task, self.function, self.args, self.kwargs, turn, context=self.context
            )
        except RuntimeError:  # the loop is closed, and the lead comes back with the turn
            pass


class _Timer:
    """What is to be computed when. Nothing of users' runs or is dropped while its lock is held."""

    def __init__(self, calls):
        self.changed = threading.Condition()
        # By cache, and by function and key.
        self.calls = calls
        self.thread = None
        self.ending = False

    def put(self, cache, key, call):
        """Takes note of a call, if there is room; what it knew of the key before."""
        with self.changed:
            calls = self.calls.setdefault(cache, {})
            if self.ending or (key not in calls and len(calls) >= MOST):
                return call
            before = calls.get(key)
            calls[key] = call
            # The clock of a test is moved by the test, which says when to look at it.
            if cache._clock is None:
                self.start()
                self.changed.notify_all()
            return before

    def start(self):
        if self.thread is not None:
            return
        self.thread = threading.Thread(target=self.run, name="everwarm-timer", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:  # the interpreter exits, or there is no thread: the next call asks again
            self.thread = None

    def run(self):
        """What the thread does, until there is nothing to wait for."""
        while True:
            with self.changed:
                caches = [cache for cache in self.calls if cache._clock is None]
                if self.ending or not caches:
                    self.thread = None
                    return
            waits = [self.run_due(cache)[1] for cache in caches]
            del caches
            with self.changed:
                if not self.ending:
                    self.changed.wait(min(waits))

    def run_due(self, cache):
        """Begins what is due of a cache: how much that was, and after how long to look again."""
        with self.changed:
            there = list(self.calls.get(cache, {}).items())
        wait = _PACE
        due = []
        for key, call in there:
            left = call.due - _native.reading(call.function)
            if left <= 0:
                due.append((key, call))
            else:
                wait = min(wait, left)
        with self.changed:
            calls = self.calls.get(cache, {})
            for key, call in due:
                if calls.get(key) is call:
                    del calls[key]
            if not calls:
                self.calls.pop(cache, None)
        # Ids of one batch are begun together.
        together = {}
        for _, call in due:
            those = getattr(call.function, "_together", None)
            if those is None:
                call.begin()
            else:
                together.setdefault(those, []).append(call)
        for those, calls in together.items():
            those.begin(calls)
        return len(due), wait

    def forget(self, cache):
        """Lets go of all calls of a cache that ends."""
        with self.changed:
            before = self.calls.pop(cache, None)
            self.changed.notify_all()
        del before


_timer = _Timer({})


def note(function, key, args, kwargs, due):
    """A call was the first to find its entry since that was computed, which is to be done anew at ``due``."""
    _timer.put(function._cache, (id(function), key), _Call(function, args, kwargs, due))


def run_due(cache):
    """Begins the refreshes of a cache that are due by its clock; how many."""
    return _timer.run_due(cache)[0]


def forget(cache):
    """Lets go of all calls of a cache."""
    _timer.forget(cache)


def _end():
    """Ends the thread when the interpreter exits."""
    with _timer.changed:
        _timer.ending = True
        _timer.calls.clear()
        thread = _timer.thread
        _timer.changed.notify_all()
    if thread is not None:
        thread.join(0.5)


def _after_fork():
    """The child has no such thread, and none of the loops: it goes on with the calls of plain functions."""
    global _timer
    calls = {
        cache: {key: call for key, call in calls.items() if call.loop is None}
        for cache, calls in list(_timer.calls.items())
    }
    _timer = _Timer({cache: calls for cache, calls in calls.items() if calls})
    if any(cache._clock is None for cache in _timer.calls):
        _timer.start()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

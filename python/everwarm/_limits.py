"""Computations that may outlast their caller: on a thread of the pool, or as a task.

Who asks waits as long as its time limit says, and leaves. The computation goes on with the lead: its value is
stored if it is still valid, those who wait for it get it, and its error is one of the background.
"""

from __future__ import annotations

import threading
from time import monotonic

from everwarm import _background
from everwarm._drive import _chain, _library, _running_loop
from everwarm._drive import computed as _awaited


class Deadline:
    """When the time of a call is over that may leave its computation; ``limit`` is in seconds, or None."""

    __slots__ = ("_ends",)

    def __init__(self, limit):
        self._ends = None if limit is None else monotonic() + limit

    def left(self, turn):
        """The seconds left; raises ``Timeout`` if there are none."""
        if self._ends is None:
            return float("inf")
        left = self._ends - monotonic()
        if left <= 0:
            raise turn.timed_out()
        return left

    async def computed(self, function, args, kwargs, turn):
        """The value of a lead, computed by a task of its own."""
        loop = _running_loop()
        library = _library(loop)
        task = loop.create_task(_awaited(function, args, kwargs, turn, turn.lead))
        old = None
        try:
            for soft, seconds in self._waits(turn):
                ended, _ = await library.wait([task], timeout=seconds)
                if ended:
                    return task.result()
                old = turn.fall_back()
                if soft and old is None:
                    continue  # it has gone meanwhile
                break
        except library.CancelledError as cancelled:
            if not task.done() and turn.outlives_caller and _background.adopt(task, function._cache):
                raise
            task.cancel()
            # Whoever is cancelled goes on only when what it awaited has been unwound.
            await library.wait([task])
            turn.give_up(cancelled)  # it may have been cancelled before it began
            raise
        except GeneratorExit as closed:
            if not loop.is_closed():
                task.cancel()
            turn.give_up(closed)
            raise
        turn.leave(old is not None)
        if not _background.adopt(task, function._cache):
            task.cancel()
        if old is None:
            raise turn.timed_out()
        return old[0]

    def _waits(self, turn):
        """How long to wait before a soft limit, and before the hard one, which may be None."""
        soft = turn.soft_limit
        hard = None if self._ends is None else max(0.0, self._ends - monotonic())
        if soft is not None and (hard is None or soft < hard):
            yield True, soft
            hard = None if hard is None else max(0.0, self._ends - monotonic())
        yield False, hard


def computed(function, args, kwargs, turn, left):
    """The value of a lead, computed on a thread of the pool; its caller waits for ``left`` seconds."""
    computation = _Computation(function, args, kwargs, turn)
    work = _background.start(computation.run, function._cache)
    if work is None and left is None:
        return _led(function, args, kwargs, turn)  # without a place on the pool, and without a limit
    if work is None:
        error = turn.timed_out()
        turn.give_up(error)
        raise error
    try:
        with _background.waiting():
            old = computation.ends_within(turn, left)
    except BaseException as error:  # a signal
        if computation.leave() and not turn.outlives_caller and _background.withdraw(work):
            turn.give_up(error)
        raise
    if old is None and not computation.leave():
        return computation.result()
    if old is not None:
        turn.leave(True)
        return old[0]
    error = turn.timed_out()
    if _background.withdraw(work):
        turn.give_up(error)
    else:
        turn.leave(False)
    raise error


class _Computation:
    """A computation on another thread; its end and its caller leaving are told apart: one is first."""

    __slots__ = ("_call", "_error", "_first", "_value", "ended")

    def __init__(self, *call):
        self._call = call
        self._error = self._value = None
        # Taken by whoever comes first: the end, or the caller's leaving.
        self._first = threading.Lock()
        self.ended = threading.Event()

    def run(self):
        try:
            self._value = _led(*self._call)
        except BaseException as error:
            if not self._first.acquire(blocking=False):
                raise  # nobody is there to get it
            self._error = error
        else:
            self._first.acquire(blocking=False)
        finally:
            self._call = None
            self.ended.set()

    def ends_within(self, turn, left):
        """Waits; the old value with which the caller has left before the end, or None."""
        soft = turn.soft_limit
        if soft is not None and (left is None or soft < left) and not self.ended.wait(soft):
            old = turn.fall_back()
            if old is not None and self.leave():
                return old
            left = None if left is None else left - soft
        if self.ended.wait(left):
            return None
        old = turn.fall_back()
        return old if old is not None and self.leave() else None

    def leave(self):
        """The caller leaves; False if the computation has ended before."""
        return self._first.acquire(blocking=False)

    def result(self):
        self.ended.wait()
        if self._error is None:
            return self._value
        try:
            raise self._error
        finally:
            self._error = None


def _led(function, args, kwargs, turn):
    """Computes as the leader of a key, on this thread."""
    turn.move_here()
    _chain.set((*_chain.get(), turn.lead))
    try:
        value = function.__wrapped__(*args, **kwargs)
    except BaseException as error:
        nobody_waits = turn.is_behind
        if turn.fail(error) and not nobody_waits:
            return turn.value()
        raise
    turn.settle(value)
    return value

"""A manual clock that moves as freezegun or time-machine move the time of a test.

Neither is imported. While one of them is active its moves are seen at once, since they are told of; where it
lets time run on, a thread looks a hundred times a second.
"""

from __future__ import annotations

import calendar
import sys
import threading
from contextlib import contextmanager
from functools import wraps

# How often the time of a test is looked at where it runs by itself.
_LOOK = 0.01

_NANOS = 1_000_000_000


@contextmanager
def follow(hand):
    """``hand``, a ``ManualClock``, moves on as freezegun or time-machine move the time, inside the block.

    What lies between two freezes does not count, and time that is set back stands still. The fixture
    ``everwarm_clock`` follows by itself.

    >>> from everwarm.testing import ManualClock, follow
    >>> with follow(ManualClock()) as clock:
    ...     clock.now
    0.0
    """
    follower = _Follower(hand)
    follower.begin()
    try:
        yield hand
    finally:
        follower.end()


class _Follower:
    """One clock that follows."""

    __slots__ = ("_ended", "_guard", "_hand", "_last", "_thread")

    def __init__(self, hand):
        self._hand = hand
        # Who sets the time, and the nanoseconds that it said last.
        self._last = None
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = None

    def begin(self):
        _followers.append(self)
        self.look()
        self._thread = threading.Thread(target=self._run, name="everwarm-follow", daemon=True)
        self._thread.start()

    def end(self):
        self._ended.set()
        self._thread.join()
        self.look()
        _followers.remove(self)
        if not _followers:
            _untell()

    def _run(self):
        while not self._ended.wait(_LOOK):
            self.look()

    def look(self):
        """Moves the clock by as much as the time of the test has moved."""
        with self._guard:
            _tell()
            before, self._last = self._last, _set_time()
            if before and self._last and before[0] is self._last[0]:
                later = self._last[1] - before[1]
                if later > 0:
                    self._hand.advance(later / _NANOS)


_followers = []

# The methods that were replaced so that moves are told of: `(class, name, method)`.
_told = []


def _set_time():
    """Who sets the time of the running test, and the nanoseconds since 1970 that it says, or None."""
    freezegun = sys.modules.get("freezegun.api")
    factories = getattr(freezegun, "freeze_factories", None)
    if factories:
        factory = factories[-1]
        # To ask one that moves by itself at each question would move it.
        ticks = type(factory).__name__ == "TickingDateTimeFactory"
        moment = factory() if ticks else factory.time_to_freeze
        return factory, calendar.timegm(moment.timetuple()) * _NANOS + moment.microsecond * 1_000
    time_machine = sys.modules.get("time_machine")
    for name in "traveller_stack", "coordinates_stack":
        stack = getattr(time_machine, name, None)
        if stack:
            return stack[-1], stack[-1].time_ns()
    return None


def _tell():
    """Has every move of the time told to those who follow."""
    classes = []
    freezegun = sys.modules.get("freezegun.api")
    for name in "FrozenDateTimeFactory", "StepTickTimeFactory", "TickingDateTimeFactory":
        classes.append((getattr(freezegun, name, None), ("tick", "move_to")))
    time_machine = sys.modules.get("time_machine")
    for name in "Traveller", "Coordinates":
        classes.append((getattr(time_machine, name, None), ("shift", "move_to")))
    for mover, names in classes:
        for name in names:
            method = getattr(mover, name, None)
            if method is not None and not hasattr(method, "_everwarm"):
                setattr(mover, name, _telling(method))
                _told.append((mover, name, method))


def _telling(method):
    @wraps(method)
    def moves(*args, **keywords):
        for follower in tuple(_followers):
            follower.look()
        try:
            return method(*args, **keywords)
        finally:
            for follower in tuple(_followers):
                follower.look()

    moves._everwarm = True
    return moves


def _untell():
    while _told:
        mover, name, method = _told.pop()
        setattr(mover, name, method)

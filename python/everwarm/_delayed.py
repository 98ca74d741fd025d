"""Invalidations that are done a second time, some time after: for replicas that lag behind their source."""

from __future__ import annotations

import atexit
import logging
import os
import threading

# How many wait at most; beyond, the one that is due first is done at once.
ROOM = 10_000

# How often a clock is looked at that may be moved by hand.
_LOOK = 0.05

_log = logging.getLogger("everwarm")
_changed = threading.Condition()
# `(due by the table's clock, table, acts)`.
_waiting = []
_thread: threading.Thread | None = None
_ending = False


def again(table, delay, acts):
    """Has ``acts`` done after ``delay`` seconds by the clock of ``table``."""
    global _thread
    early = None
    with _changed:
        _waiting.append((table.now() + delay, table, acts))
        if len(_waiting) > ROOM:
            early = min(_waiting, key=_left)
            _waiting.remove(early)
        if _thread is None and not _ending:
            _thread = threading.Thread(target=_run, name="everwarm-delayed", daemon=True)
            try:
                _thread.start()
            except RuntimeError:  # the interpreter exits, which does what waits
                _thread = None
        _changed.notify_all()
    if early is not None:
        _do(early)


def do_due():
    """Does what is due by now; how many seconds are left until the next, or None."""
    with _changed:
        due = [one for one in _waiting if _left(one) <= 0]
        for one in due:
            _waiting.remove(one)
        left = min(map(_left, _waiting), default=None)
    for one in due:
        _do(one)
    return left


def _left(one):
    due, table, _ = one
    return due - table.now()


def _do(one):
    for act in one[2]:
        try:
            act()
        except Exception:  # the cache was closed, or is strict and a store is away
            _log.exception("a delayed invalidation was not done")


def _run():
    global _thread
    while True:
        left = do_due()
        with _changed:
            if _ending or (left is None and not _waiting):
                _thread = None
                return
            _changed.wait(_LOOK if left is None else min(left, _LOOK))


def _end():
    """At the interpreter's end what waits is done at once: too early is better than never."""
    global _ending
    with _changed:
        _ending = True
        waiting = _waiting[:]
        _waiting.clear()
        _changed.notify_all()
    for one in waiting:
        _do(one)


def _after_fork():
    """What the parent waits for, the parent does."""
    global _changed, _thread
    _changed = threading.Condition()
    _waiting.clear()
    _thread = None


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

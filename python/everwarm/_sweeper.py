"""The one thread of ours that runs Python: what has expired goes, and leases are renewed."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from weakref import WeakSet

from everwarm._native import Table

_PERIOD = 1.0

# How often the stores behind a memory are asked what others changed.
_LOOK = 0.15

# How long the stores may take for what they are owed when the interpreter exits, in all.
_LAST = 1.25

_log = logging.getLogger("everwarm")
_tables: WeakSet[Table] = WeakSet()
_changed = threading.Condition()
_thread: threading.Thread | None = None
_ending = False

# How long the thread waits now.
_pace = _PERIOD


def watch(table: Table) -> None:
    """Sweeps ``table`` from here on, until nothing in it expires any more."""
    global _thread
    with _changed:
        if _ending:
            return
        _tables.add(table)
        if table.is_shared() or table.is_holding():
            _changed.notify_all()
        if _thread is None:
            _thread = threading.Thread(target=_run, name="everwarm-sweeper", daemon=True)
            try:
                _thread.start()
            except RuntimeError:
                # The interpreter exits, or there is no thread to be had: the next entry asks again.
                _thread = None
                _tables.discard(table)
                table.unwatch()


def hasten(table: Table) -> None:
    """Has the leases that ``table`` holds renewed in time."""
    with _changed:
        is_watched = _thread is not None and table in _tables
        if is_watched and _pace == _LOOK:
            return
    watch(table)


def _is_pressing(table: Table) -> bool:
    return table.is_shared() or table.is_holding()


def _run() -> None:
    global _thread, _pace
    waited = 0.0
    while True:
        with _changed:
            period = _pace = _LOOK if any(map(_is_pressing, _tables)) else _PERIOD
            # Who ends it may have rung before this thread first came here, as in a forked child that exits.
            if not _ending:
                _changed.wait(period)
            tables = list(_tables)
            if _ending or not tables:
                _thread = None
                return
        waited += period
        while tables:
            table = tables.pop()
            _look_around(table)
            if waited >= _PERIOD:
                _sweep(table)
        if waited >= _PERIOD:
            _let_go()
        waited %= _PERIOD


def _look_around(table: Table) -> None:
    """Lets go of what other processes changed."""
    try:
        table.look_around()
    except Exception:  # a store of the user's own
        _log.exception("a store did not say what others changed")


def _let_go() -> None:
    """Closes the connections of loops that are over."""
    bell = sys.modules.get("everwarm._bell")
    if bell is not None:
        bell.let_go()


def _sweep(table: Table) -> None:
    table.sweep()
    if not table.timed() and not table.is_shared():
        _rest(table)


def _rest(table: Table) -> None:
    """Stops watching a table, unless an entry that expires has come meanwhile."""
    with _changed:
        _tables.discard(table)
    table.unwatch()
    if table.timed():
        watch(table)


def _end() -> None:
    """Joins the thread when the interpreter exits, and tries what stores are owed, within ``_LAST``."""
    global _ending
    until = time.monotonic() + _LAST
    with _changed:
        _ending = True
        _changed.notify_all()
        thread = _thread
        tables = list(_tables)
    if thread is not None:
        # It may be waiting for a store that does not answer.
        thread.join(_LAST / 2)
    for table in tables:
        try:
            table.end(max(until - time.monotonic(), 0.0))
        except Exception:  # a store of the user's own
            _log.exception("a store was not told what it is owed")


def _after_fork() -> None:
    """The child has no such thread; the next entry that expires starts one."""
    global _tables, _changed, _thread
    tables = list(_tables)
    _tables = WeakSet()
    _changed = threading.Condition()
    _thread = None
    for table in tables:
        table.unwatch()
        if table.timed() or table.is_shared():
            watch(table)


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

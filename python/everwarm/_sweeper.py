"""The one thread of ours that runs Python: it lets expired values go, at most once a second."""

from __future__ import annotations

import atexit
import os
import threading
from weakref import WeakSet

from everwarm._native import Table

_PERIOD = 1.0

_tables: WeakSet[Table] = WeakSet()
_changed = threading.Condition()
_thread: threading.Thread | None = None
_ending = False


def watch(table: Table) -> None:
    """Sweeps ``table`` from here on, until nothing in it expires any more."""
    global _thread
    with _changed:
        if _ending:
            return
        _tables.add(table)
        if _thread is None:
            _thread = threading.Thread(target=_run, name="everwarm-sweeper", daemon=True)
            try:
                _thread.start()
            except RuntimeError:
                # The interpreter exits, or there is no thread to be had: the next entry asks again.
                _thread = None
                _tables.discard(table)
                table.unwatch()


def _run() -> None:
    global _thread
    while True:
        with _changed:
            _changed.wait(_PERIOD)
            tables = list(_tables)
            if _ending or not tables:
                _thread = None
                return
        while tables:
            _look_after(tables.pop())


def _look_after(table: Table) -> None:
    table.sweep()
    if not table.timed():
        _rest(table)


def _rest(table: Table) -> None:
    """Stops watching a table, unless an entry that expires has come meanwhile."""
    with _changed:
        _tables.discard(table)
    table.unwatch()
    if table.timed():
        watch(table)


def _end() -> None:
    """Joins the thread when the interpreter exits."""
    global _ending
    with _changed:
        _ending = True
        _changed.notify_all()
        thread = _thread
    if thread is not None:
        thread.join(1.0)


def _after_fork() -> None:
    """The child has no such thread; the next entry that expires starts one."""
    global _tables, _changed, _thread
    tables = list(_tables)
    _tables = WeakSet()
    _changed = threading.Condition()
    _thread = None
    for table in tables:
        table.unwatch()
        if table.timed():
            watch(table)


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

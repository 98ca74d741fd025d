"""What background work did in this process."""

from __future__ import annotations

import sys

from everwarm._result import _Frozen


class BackgroundStats(_Frozen):
    """What background work did in this process, read at one moment; a forked child begins anew.

    * ``running``, ``queued``: work on the pool's threads, and work that waits for one.
    * ``tasks``: work of coroutine functions, on loops.
    * ``done``, ``failed``: work that ended, and how much of it ended with an error.
    * ``refused``: work that was not begun, since the pool or the loop had no room.
    * ``dropped``: work that was begun or queued and did not end: it was cancelled, its cache was closed, or
      its loop was.
    """

    __slots__ = ("running", "queued", "tasks", "done", "failed", "refused", "dropped")


def background_stats():
    """The counters of background work in this process, as ``BackgroundStats``; asking begins nothing.

    >>> import everwarm
    >>> everwarm.background_stats().queued
    0
    """
    background = sys.modules.get("everwarm._background")
    if background is None:
        return BackgroundStats(**dict.fromkeys(BackgroundStats.__slots__, 0))
    return background.stats()

"""Loads modules of our own: for the native side, whatever Python code runs, and before calls need them.

An import asks the globals of the code that runs for ``__import__``; code that runs with none cannot import.
"""

from __future__ import annotations

import sys

# What calls need beyond what `import everwarm` loads, which is to be quick: any calls, and those of stores.
_CALLS = (
    "_report",
    "_sweeper",
    "_background",
    "_behind",
    "_aside",
    "_limits",
    "_timed",
    "_together",
    "_collect",
    "_delayed",
    "_unit_of_work",
    "_lock",
    "_semaphore",
    "_limiter",
    "_invalidates",
    "_cache_info",
    "_cache_status",
    "_described",
)
_STORES = ("_stored", "_schema", "_upgrade", "_replay", "_format_frames", "_format_buffers")

_ready = set()


def load(name):
    """The module of this name."""
    __import__(name)
    return sys.modules[name]


def ready(has_stores):
    """Loads what calls would else load at their first need.

    The child of a fork waits for ever for a module that another thread of its parent was just importing. So
    no call imports one of ours, but for the first use of a cache that learns only then that it has stores.
    """
    for names in (_CALLS, _STORES) if has_stores else (_CALLS,):
        if names in _ready:
            continue
        for name in names:
            __import__("everwarm." + name)
        _ready.add(names)

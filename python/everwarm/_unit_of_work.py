"""Units of work: what is invalidated inside of one is done once it has ended well, and not if it raises."""

from __future__ import annotations

import threading
from contextvars import ContextVar

from everwarm import _native
from everwarm._errors import ConfigError

# How much one unit collects; beyond, it clears the cache at its end.
ROOM = 10_000

# The innermost unit that the current context was in.
_unit: ContextVar[UnitOfWork | None] = ContextVar("everwarm_unit_of_work", default=None)


class UnitOfWork:
    """A block whose invalidations wait for its end: ``with cache.unit_of_work():``, or ``async with``.

    It is made by ``Cache.unit_of_work`` and entered once. A unit inside of another of the same cache is part
    of that one, whatever becomes of it: only the outermost decides.
    """

    __slots__ = (
        "_cache",
        "_deeds",
        "_delay",
        "_everything",
        "_lock",
        "_mark",
        "_outer",
        "_root",
        "_runs",
        "_table",
        "_tags",
        "_timeout",
    )

    def __init__(self, cache, delay=None, mark_before=False, timeout="30s"):
        if not isinstance(mark_before, bool):
            raise ConfigError(
                f"mark_before is True or False, not {type(mark_before).__name__}\n"
                "hint: write `unit_of_work(mark_before=True)`"
            )
        self._cache = cache
        self._delay = None if delay is None else _native.span("delay", delay)
        self._mark, self._timeout = mark_before, _native.span("timeout", timeout)
        # None before it is entered, True inside, False for ever after.
        self._runs = None

    def __enter__(self):
        if self._runs is not None:
            raise ConfigError(
                "this unit of work was entered before\nhint: write `with cache.unit_of_work():` anew"
            )
        self._table = self._cache._resolve()
        if self._mark:
            _native.check_suspends(self._table)
        self._outer = _unit.get()
        around = running(self._table)
        self._root = self if around is None else around
        if around is None:
            self._tags, self._deeds, self._everything = {}, {}, False
            # One that its holder may take again: a collection may run a finalizer that invalidates.
            self._lock = threading.RLock()
            _native.begin_unit(self._table)
        else:
            around._join(self)
        self._runs = True
        _unit.set(self)
        return self

    def __exit__(self, kind, error, traceback):
        # A generator may be closed in somebody else's context.
        if _unit.get() is self:
            _unit.set(self._outer)
        if self._root is not self:
            self._runs = False
            return
        with self._lock:
            self._runs = False
        _native.end_unit(self._table)
        if kind is None:
            self._commit()
        elif self._mark:
            _native.resume_named(self._table, list(self._tags))

    async def __aenter__(self):
        return self.__enter__()

    async def __aexit__(self, kind, error, traceback):
        self.__exit__(kind, error, traceback)

    def collect_tags(self, names):
        """Takes in tags, named as entries carry them; done at once where the unit has just ended."""
        with self._lock:
            late = not self._runs
            # Each once: a tag that is suspended twice has to be resumed twice.
            names = [name for name in dict.fromkeys(names) if late or name not in self._tags]
            if not late and self._has_room(len(names)):
                if self._mark:
                    _native.suspend_named(self._table, names, self._timeout)
                self._tags.update(dict.fromkeys(names))
        if late:
            _native.invalidate_named(self._table, names)

    def collect(self, deed):
        """Takes in what is to be done about one entry, or all of a function."""
        with self._lock:
            late = not self._runs
            if not late and self._has_room(1):
                self._deeds[deed.name] = deed
        if late or self._mark:
            deed.act()

    def _has_room(self, more):
        if len(self._tags) + len(self._deeds) + more <= ROOM:
            return not self._everything
        self._everything = True
        return False

    def _join(self, inner):
        """What a unit inside of this one asks for holds from there on."""
        with self._lock:
            if inner._mark and not self._mark:
                self._mark, self._timeout = True, inner._timeout
                _native.suspend_named(self._table, list(self._tags), self._timeout)
            self._delay = max(filter(None, (self._delay, inner._delay)), default=None)

    def _commit(self):
        """Does what was collected: all of it, whatever fails; the first error is raised."""
        acts = [self._invalidate, *(deed.act for deed in self._deeds.values())]
        if self._everything:
            acts.append(self._cache.clear)
        if self._delay is not None and (self._tags or self._deeds or self._everything):
            from everwarm._delayed import again

            again(self._table, self._delay, [_named(self._table, list(self._tags)), *acts[1:]])
        first = None
        for act in acts:
            try:
                act()
            except Exception as error:
                first = first or error
        if first is not None:
            raise first

    def _invalidate(self):
        act = _native.resume_named if self._mark else _native.invalidate_named
        act(self._table, list(self._tags))

    def __repr__(self):
        state = {None: "not entered", True: "running", False: "ended"}[self._runs]
        return f"<unit of work: {state}>"


def _named(table, names):
    return lambda: _native.invalidate_named(table, names)


def running(table):
    """The outermost unit of a cache's table that the current context is inside of, or None."""
    unit = _unit.get()
    while unit is not None:
        if unit._table is table and unit._root._runs:
            return unit._root
        unit = unit._outer
    return None

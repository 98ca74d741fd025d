"""Collecting: single ids that are asked for at about the same time become one call of the function.

The first to come leads: it waits a while for others, calls the function with all ids in its own context, and
shares out what it gives. If it is cancelled, the others begin anew. The idea is DataLoader's, with a time of
its own instead of a turn of the loop, so that threads can have it too.
"""

from __future__ import annotations

import os
from _contextvars import ContextVar
from _thread import allocate_lock

from everwarm._batch_steps import Compute
from everwarm._drive import _chain, _library, _running_loop, own_copy
from everwarm._errors import Unsupported
from everwarm._ids import content, mark


class Window:
    """Where the calls of one function for single ids gather."""

    __slots__ = ("_function", "_is_async", "_rooms", "_seconds", "_size", "_tenant")

    def __init__(self, function, is_async, seconds, size, tenant):
        self._function, self._is_async = function, is_async
        self._seconds, self._size = seconds, size
        # A context variable tells calls apart that are alike in all arguments.
        self._tenant = tenant if isinstance(tenant, ContextVar) else None
        # One for each process, since a lock may be held where a process forks.
        self._rooms = {}

    def steps(self, call):
        """The value of the only id of a call."""
        while True:
            gathering, number = self._join(call)
            if number == 0:
                yield from self._lead(gathering)
            else:
                yield _Pause(gathering.done, None)
            if gathering.error is not None:
                raise own_copy(gathering.error)
            if gathering.values is not None:
                return gathering.values[number]

    def _room(self):
        process = os.getpid()
        return self._rooms.get(process) or self._rooms.setdefault(process, (allocate_lock(), {}))

    def _join(self, call):
        """Where this call gathers, and as the how manyth."""
        common = self._common(call)
        lock, gatherings = self._room()
        with lock:
            gathering = gatherings.get(common)
            # Two ids that are `==` cannot be answered by one mapping.
            if gathering is None or not gathering.takes(call):
                gathering = gatherings[common] = _Gathering(common, self._is_async)
            number = gathering.add(call)
            if len(gathering.calls) == self._size:
                del gatherings[common]
                gathering.full.set()
        return gathering, number

    def _lead(self, gathering):
        try:
            try:
                yield _Pause(gathering.full, self._seconds)
            finally:
                lock, gatherings = self._room()
                with lock:
                    if gatherings.get(gathering.common) is gathering:
                        del gatherings[gathering.common]
            gathering.values = yield from self._computed(gathering)
        except Exception as error:
            gathering.error = error
            raise
        finally:
            gathering.done.set()

    def _computed(self, gathering):
        whole = gathering.whole()
        before = _chain.get()
        # What is computed for all of them must not wait for one of them.
        chain = tuple(dict.fromkeys((*before, *gathering.leads)))
        _chain.set(chain)
        try:
            found = yield Compute(self._function, whole.args, whole.kwargs)
            return whole.read(found, whole.places([call.ids[0] for call in gathering.calls]))
        finally:
            if _chain.get() is chain:
                _chain.set(before)

    def _common(self, call):
        """What calls have in common that may be one: their loop, their tenant, and all other arguments."""
        loop = _running_loop() if self._is_async else None
        if loop is None and self._is_async:
            raise Unsupported(
                "collecting calls of a coroutine function needs asyncio or trio\n"
                "hint: run the call on a loop of asyncio's, or within trio.run, or leave `collect=` out"
            )
        tenant = None if self._tenant is None else content(self._tenant.get(None))
        others, names = call.others()
        return id(loop), tenant, call.place, names, tuple(map(content, others))


class _Gathering:
    """Calls that become one."""

    __slots__ = ("calls", "common", "done", "error", "full", "leads", "marks", "values")

    def __init__(self, common, is_async):
        self.common = common
        self.calls, self.marks, self.leads = [], set(), []
        self.full, self.done = _event(is_async), _event(is_async)
        self.values = self.error = None

    def takes(self, call):
        return mark(call.ids[0]) not in self.marks

    def add(self, call):
        self.calls.append(call)
        self.marks.add(mark(call.ids[0]))
        self.leads.extend(_chain.get())
        return len(self.calls) - 1

    def whole(self):
        """The one call that they become."""
        first = self.calls[0]
        return first if len(self.calls) == 1 else first.joined(self.calls)


class _Pause:
    """Waits for an event, for some seconds at most if that is said."""

    __slots__ = ("event", "seconds")

    def __init__(self, event, seconds):
        self.event, self.seconds = event, seconds

    def done(self):
        self.event.wait(self.seconds)

    async def adone(self):
        timer = None
        if self.seconds is not None:
            timer = _running_loop().call_later(self.seconds, self.event.set)
        try:
            await self.event.wait()
        finally:
            if timer is not None:
                timer.cancel()


def _event(is_async):
    if is_async:
        return _library(_running_loop()).Event()
    from threading import Event

    return Event()

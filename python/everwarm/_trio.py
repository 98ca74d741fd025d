"""A run of trio's as a loop: as much of asyncio's loop, and of asyncio, as those who wait ask for.

It is loaded by the first call within trio, so that who does not use trio does not need it.
"""

from __future__ import annotations

import sys
from contextvars import copy_context

import trio
from trio import lowlevel

# As asyncio calls them.
CancelledError, Event = trio.Cancelled, trio.Event

# The loop of each run.
_running = lowlevel.RunVar("everwarm")


def running_loop(asyncios):
    """The loop of the running task, which is trio's unless asyncio runs as a guest of trio; that is given."""
    sniffio = sys.modules.get("sniffio")
    if asyncios is not None and sniffio is not None and sniffio.current_async_library() != "trio":
        return asyncios
    try:
        return _running.get()
    except LookupError:
        made = Loop()
        _running.set(made)
        return made


def current_task(loop=None):
    """The running task: one that a loop has created, or one of trio's own."""
    task = lowlevel.current_task()
    return (loop or _running.get()).tasks.get(task, task)


async def wait(tasks, *, timeout=None):
    """Waits for the end of a task; those that have ended, and the others.

    As with asyncio, who waits until what it has cancelled is unwound is itself not cancelled meanwhile.
    """
    (task,) = tasks
    seconds = float("inf") if timeout is None else timeout
    with trio.move_on_after(seconds, shield=task.is_cancelled):
        await task.ended.wait()
    return ({task}, set()) if task.done() else (set(), {task})


async def done(errand):
    """Waits until an errand of an awaited verb has its value: what it yields are futures of ours."""
    for future in errand:
        try:
            await future
        except BaseException:
            errand.close()
            raise


class Loop:
    """One run of trio's. What goes on beside its tasks are system tasks: they end with the run."""

    __slots__ = ("__weakref__", "_is_closed", "_token", "tasks")

    def __init__(self):
        self._token = lowlevel.current_trio_token()
        self._is_closed = False
        # From each task of trio's to that of ours which it runs.
        self.tasks = {}
        lowlevel.spawn_system_task(self._last, name="everwarm")

    async def _last(self):
        try:
            await trio.sleep_forever()
        finally:
            self._is_closed = True

    def is_closed(self):
        return self._is_closed

    def is_running(self):
        return not self._is_closed

    def create_future(self):
        return Future()

    def create_task(self, coroutine):
        return Task(self, coroutine)

    def call_later(self, seconds, function, *args):
        return _Timer(seconds, function, args)

    def call_soon(self, function, *args):
        self._token.run_sync_soon(self._call, function, args, None)

    def call_soon_threadsafe(self, function, *args, context=None):
        """Raises RuntimeError if the run is over, as a loop that is closed does."""
        self._token.run_sync_soon(self._call, function, args, context)

    def _call(self, function, args, context):
        if self._is_closed:
            return
        if context is None:
            function(*args)
        else:
            context.run(function, *args)

    def add_reader(self, descriptor, function):
        async def read():
            while True:
                await lowlevel.wait_readable(descriptor)
                function()

        lowlevel.spawn_system_task(read, name="everwarm")


class Future:
    """What one task waits for."""

    # An errand marks what it waits for, as asyncio's tasks want it.
    __slots__ = ("__weakref__", "_asyncio_future_blocking", "_error", "_is_done", "_task", "_value")

    def __init__(self):
        self._is_done = False
        self._task = self._value = self._error = None

    def done(self):
        return self._is_done

    def set_result(self, value):
        self._value = value
        self._end()

    def set_exception(self, error):
        self._error = error
        self._end()

    def _end(self):
        self._is_done = True
        task, self._task = self._task, None
        if task is not None:
            lowlevel.reschedule(task)

    def __await__(self):
        if not self._is_done:
            self._task = lowlevel.current_task()
            yield from lowlevel.wait_task_rescheduled(self._abort).__await__()
        if self._error is not None:
            raise self._error
        return self._value

    def _abort(self, _):
        self._task = None
        return lowlevel.Abort.SUCCEEDED


class Task:
    """A coroutine that runs in its creator's context, and outlives who waits for it."""

    __slots__ = ("_called", "_error", "_is_cut", "_scope", "_value", "ended", "is_cancelled")

    def __init__(self, loop, coroutine):
        self._scope = trio.CancelScope()
        self._called = []
        self._value = self._error = None
        self._is_cut = True
        self.is_cancelled = False
        self.ended = Event()
        lowlevel.spawn_system_task(self._run, loop, coroutine, name=coroutine, context=copy_context())

    async def _run(self, loop, coroutine):
        loop.tasks[lowlevel.current_task()] = self
        try:
            with self._scope:
                await self._outcome(coroutine)
        finally:
            del loop.tasks[lowlevel.current_task()]
            self.ended.set()
            for function in self._called:
                function(self)

    async def _outcome(self, coroutine):
        try:
            self._value = await coroutine
        except trio.Cancelled:
            raise
        except BaseException as error:  # it would end the whole run
            self._error = error
        self._is_cut = False

    def cancel(self):
        self.is_cancelled = True
        self._scope.cancel()

    def done(self):
        return self.ended.is_set()

    def cancelled(self):
        return self.done() and self._is_cut

    def exception(self):
        return self._error

    def result(self):
        if self._error is not None:
            raise self._error
        return self._value

    def add_done_callback(self, function):
        if self.done():
            function(self)
        else:
            self._called.append(function)


class _Timer:
    """A call that is made later, unless it is cancelled."""

    __slots__ = ("_scope",)

    def __init__(self, seconds, function, args):
        self._scope = trio.CancelScope()
        lowlevel.spawn_system_task(self._run, seconds, function, args, name="everwarm")

    async def _run(self, seconds, function, args):
        with self._scope:
            await trio.sleep(seconds)
            function(*args)

    def cancel(self):
        self._scope.cancel()

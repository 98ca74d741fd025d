"""Work in the background: one bounded pool of daemon threads per process, and tasks on the caller's loop.

The threads are ours: `concurrent.futures` joins its own at exit for as long as they run, these end with the
process. Work is never waited for by who submits it, so it is no part of the computation that submits it: it
runs in a copy of the context, or in an empty one, and either way outside of the chain of leads.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from _collections import deque
from contextlib import contextmanager
from contextvars import Context, copy_context
from time import monotonic

from everwarm import _sweeper  # noqa: F401 - so that its end comes after ours: it has queued writes done
from everwarm._background_stats import BackgroundStats
from everwarm._drive import _chain, _held, _library, _pause, _running_loop

# Threads that run work, and work that waits for one. A thread that waits for other work of the pool does not
# count, so that nested work cannot use the pool up.
THREADS, QUEUE = 32, 1_000

# Tasks on each loop.
TASKS = 1_000

# Seconds after which a thread without work ends, that the exit waits for what runs, and that `close` does.
_IDLE, _EXIT, CLOSE = 10.0, 0.5, 1.0

_log = logging.getLogger("everwarm")


class Work:
    """One piece of work: queued, then running, then over."""

    __slots__ = ("context", "owner", "run")

    def __init__(self, run, context, owner):
        self.run = run
        self.context = context
        self.owner = owner


class _Pool:
    """The threads of one process. Nothing of users' runs or is dropped while its lock is held."""

    def __init__(self):
        self.changed = threading.Condition()
        self.queue = deque()
        # By the number of the thread.
        self.running = {}
        self.threads = self.idle = self.blocked = 0
        # From the identity of a loop to its tasks.
        self.crews = {}
        self.done = self.failed = self.refused = self.dropped = 0
        self.ending = False

    def put(self, work):
        """Queues work; whether there was room."""
        with self.changed:
            if self.ending or len(self.queue) >= QUEUE:
                self.refused += 1
                return False
            self.queue.append(work)
            if self._has_runner():
                return True
            self.queue.pop()
            self.refused += 1
        return False

    def _has_runner(self):
        """Wakes or starts a thread for what was queued; False if there is none and none to be had."""
        if self.idle:
            self.changed.notify_all()
        if self.idle < len(self.queue) and self.threads - self.blocked < THREADS:
            self.threads += 1
            thread = threading.Thread(target=self.serve, name="everwarm-background", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the interpreter exits, or there is no thread to be had
                self.threads -= 1
        return self.threads > self.blocked

    def serve(self):
        """What each thread does."""
        while (work := self._next()) is not None:
            error = _error_of(work)
            if self is not _pool:
                return  # the work forked, and this is the child: none of this is its own
            with self.changed:
                del self.running[threading.get_ident()]
                self.done += 1
                self.failed += error is not None
                self.changed.notify_all()
            if error is not None:
                _tell(work.owner, error)
            del work, error

    def _next(self):
        """The next work, or None once there has been none for long."""
        with self.changed:
            while not self.queue:
                self.idle += 1
                found = not self.ending and self.changed.wait_for(self._is_called, _IDLE)
                self.idle -= 1
                if not found or (self.ending and not self.queue):
                    self.threads -= 1
                    return None
            work = self.queue.popleft()
            self.running[threading.get_ident()] = work
            return work

    def _is_called(self):
        return self.queue or self.ending

    def withdraw(self, work):
        """Takes work back that no thread has begun; whether that was so."""
        with self.changed:
            try:
                self.queue.remove(work)
            except ValueError:
                return False
            self.dropped += 1
            return True

    def join(self, owner, seconds):
        """Waits for the work of one cache, or for all; what has not begun by then is dropped."""
        deadline = monotonic() + seconds
        with self.changed:
            while self.has_threads_for(owner) and (left := deadline - monotonic()) > 0:
                self.changed.wait(left)
        self.drop(owner)

    def drop(self, owner):
        """Drops the work of one cache, or all, that has not begun, and cancels its tasks."""
        with self.changed:
            dropped = [work for work in self.queue if owner is None or work.owner is owner]
            kept = [work for work in self.queue if not (owner is None or work.owner is owner)]
            self.queue.clear()
            self.queue.extend(kept)
            self.dropped += len(dropped)
            tasks = [found for crew in self.crews.values() for found in crew.of(owner)]
        del dropped
        here = _running_loop()
        for loop, task in tasks:
            if loop is here:
                task.cancel()
            else:
                _call(loop, task.cancel)

    def has_threads_for(self, owner):
        """Whether a thread but the caller's has work of a cache, or of any."""
        here = threading.get_ident()
        running = [work for thread, work in self.running.items() if thread != here]
        return any(owner is None or work.owner is owner for work in (*running, *self.queue))

    def has_tasks_for(self, owner):
        """Whether a task but the caller's is a cache's, or any's."""
        loop = _running_loop()
        crew = self.crews.get(id(loop))
        return crew is not None and any(not crew.is_current(task) for _, task in crew.of(owner))

    def crew(self, loop):
        """The tasks of a loop; those of loops that are closed will not end."""
        found = self.crews.get(id(loop))
        if found is None or found.loop is not loop:
            for key in [key for key, old in self.crews.items() if old.loop.is_closed()]:
                self.dropped += len(self.crews.pop(key).tasks)
            found = self.crews[id(loop)] = _Crew(loop)
        return found


class _Crew:
    """The tasks of one loop, each with its owner: the loop itself holds them weakly."""

    __slots__ = ("loop", "tasks")

    def __init__(self, loop):
        self.loop = loop
        self.tasks = {}

    def of(self, owner):
        return [(self.loop, task) for task, whose in self.tasks.items() if owner is None or whose is owner]

    def is_current(self, task):
        return _library(self.loop).current_task(self.loop) is task

    def ended(self, task):
        """Counts a task's end, and tells of its error."""
        error = None if task.cancelled() else task.exception()
        with _pool.changed:
            owner = self.tasks.pop(task, None)
            _pool.dropped += task.cancelled()
            _pool.done += not task.cancelled()
            _pool.failed += error is not None
        if error is not None:
            _tell(owner, error)


_pool = _Pool()


def submit(work, *, context="copy", owner=None):
    """Has ``work()`` done on the pool; False if that has no room, which is counted.

    ``context``: ``"copy"`` for a copy of the caller's context variables, ``"empty"`` for none of them.
    ``owner``: the cache whose listener is told of an error, and whose ``close`` waits for it.
    """
    return _pool.put(Work(work, _context(context), owner))


def start(work, owner):
    """As ``submit``, for work that the caller waits for and that is part of its computation.

    Gives the ``Work``, which ``withdraw`` takes back, or None.
    """
    begun = Work(work, copy_context(), owner)
    return begun if _pool.put(begun) else None


def withdraw(work):
    """Takes work back; False if it has been begun."""
    return _pool.withdraw(work)


def spawn(coroutine, *, context="copy", owner=None):
    """Runs a coroutine as a task of the running loop, kept alive until it ends; False if there is no room."""
    loop = _running_loop()
    with _pool.changed:
        crew = None if loop is None else _pool.crew(loop)
        has_room = crew is not None and len(crew.tasks) < TASKS
        _pool.refused += not has_room
    if not has_room:
        coroutine.close()
        return False
    return adopt(_context(context).run(loop.create_task, coroutine), owner)


def adopt(task, owner):
    """Has a task go on whose caller has left, as if it had been spawned; False if there is no room."""
    with _pool.changed:
        crew = _pool.crew(_running_loop())
        if len(crew.tasks) >= TASKS:
            _pool.refused += 1
            return False
        crew.tasks[task] = owner
    task.add_done_callback(crew.ended)
    return True


@contextmanager
def waiting():
    """Around a wait for work of the pool: a thread of the pool gives its place to another meanwhile."""
    pool = _pool
    with pool.changed:
        is_ours = threading.get_ident() in pool.running
        pool.blocked += is_ours
        if is_ours and pool.queue:
            pool._has_runner()
    try:
        yield
    finally:
        if is_ours and pool is _pool:
            with pool.changed:
                pool.blocked -= 1


def join(owner=None, seconds=CLOSE):
    """Waits for the threads that work for ``owner``; drops what has not begun by then, and cancels its tasks.

    It waits for no task: these may be on the caller's own loop.
    """
    _pool.join(owner, seconds)


async def ajoin(owner=None, seconds=CLOSE):
    """As ``join``, which also waits for the tasks on the running loop, and holds the loop up for neither."""
    deadline = monotonic() + seconds
    while (_pool.has_threads_for(owner) or _pool.has_tasks_for(owner)) and monotonic() < deadline:
        await _pause(0.005)
    _pool.drop(owner)


def stats():
    """The counters of this process, as ``BackgroundStats``."""
    pool = _pool
    with pool.changed:
        return BackgroundStats(
            running=len(pool.running),
            queued=len(pool.queue),
            tasks=sum(len(crew.tasks) for crew in pool.crews.values()),
            done=pool.done,
            failed=pool.failed,
            refused=pool.refused,
            dropped=pool.dropped,
        )


def _context(kind):
    """The context of work that is no part of what the caller computes."""
    context = copy_context() if kind == "copy" else Context()
    context.run(_chain.set, ())
    context.run(_held.set, ())
    return context


def _error_of(work):
    """Does the work; its error, or None."""
    try:
        work.context.run(work.run)
    except BaseException as error:  # it is nobody's: no caller is there to get it
        return error.with_traceback(error.__traceback__.tb_next)
    return None


def _tell(owner, error):
    """Tells the listener of a cache of an error in the background; without one, the log."""
    listener = getattr(owner, "_on_background_error", None)
    if listener is None:
        _log.error("work in the background failed", exc_info=error)
        return
    try:
        listener(error)
    except Exception:
        _log.exception("on_background_error= failed")


def _call(loop, function):
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop is closed, and runs nothing any more
        pass


def _end():
    """Waits a moment for what runs when the interpreter exits; what has not begun is dropped."""
    pool = _pool
    with pool.changed:
        pool.ending = True
        dropped = list(pool.queue)
        pool.queue.clear()
        pool.dropped += len(dropped)
        pool.changed.notify_all()
    del dropped
    pool.join(None, _EXIT)


def _after_fork():
    """The child has neither the threads nor the loops, and none of the work is its own."""
    global _pool
    _pool = _Pool()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

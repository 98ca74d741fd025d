"""The worlds that a promise is tested in: threads, one event loop, and three loops in threads."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from concurrent.futures import Future

PATIENCE = 20.0


class Gate:
    """Where a computation stands until the test opens it; for threads and for tasks of any loop."""

    def __init__(self):
        self._lock = threading.Lock()
        self._opened = threading.Event()
        self._waiting = []
        self.reached = threading.Event()

    def open(self):
        with self._lock:
            self._opened.set()
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            loop.call_soon_threadsafe(_land, future)

    def open_after(self, seconds):
        """Opens it after so many seconds of a test that would else hang; False."""
        self._since = getattr(self, "_since", None) or time.monotonic()
        if time.monotonic() - self._since > seconds:
            self.open()
        return False

    def pass_as_thread(self):
        self.reached.set()
        assert self._opened.wait(PATIENCE), "nobody opened the gate"

    async def pass_as_task(self):
        loop = asyncio.get_running_loop()
        with self._lock:
            future = loop.create_future()
            if self._opened.is_set():
                future.set_result(None)
            else:
                self._waiting.append((loop, future))
        self.reached.set()
        await future

    def is_reached(self):
        assert self.reached.wait(PATIENCE), "no computation came to the gate"


def _land(future):
    if not future.done():
        future.set_result(None)


def until(condition):
    """Waits for what no event tells."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.0005)


class Threads:
    """Sync functions, each call in a thread of its own."""

    name = "threads"
    is_async = False

    def cached(self, decorator):
        return lambda body: decorator(_shaped(body, _run_in_thread, ""))

    def start(self, function, *args, **kwargs):
        return self.run(lambda: function(*args, **kwargs))

    def run(self, work):
        """Has ``work`` done in a thread; a future."""
        future = Future()
        threading.Thread(target=_fill, args=(future, work), daemon=True).start()
        return future

    def call(self, function, *args, **kwargs):
        return self.start(function, *args, **kwargs).result(PATIENCE)

    def close(self):
        pass


class Loops:
    """Coroutine functions, called in turn on each of some loops that run in threads."""

    is_async = True

    def __init__(self, count):
        self.name = "loop" if count == 1 else "loops"
        self.loops = [asyncio.new_event_loop() for _ in range(count)]
        self._threads = [threading.Thread(target=_run_loop, args=(loop,), daemon=True) for loop in self.loops]
        self._turn = 0
        for thread in self._threads:
            thread.start()

    def cached(self, decorator):
        return lambda body: decorator(_shaped(body, _run_in_task, "async "))

    def start(self, function, *args, **kwargs):
        async def call():
            return await function(*args, **kwargs)

        return self.run(call)

    def run(self, work):
        """Has the coroutine function ``work`` done on the next loop; a future."""
        self._turn += 1
        return asyncio.run_coroutine_threadsafe(work(), self.loops[self._turn % len(self.loops)])

    def call(self, function, *args, **kwargs):
        return self.start(function, *args, **kwargs).result(PATIENCE)

    def close(self):
        for loop, thread in zip(self.loops, self._threads, strict=True):
            loop.call_soon_threadsafe(loop.stop)
            thread.join(PATIENCE)
            loop.close()


def _run_loop(loop):
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _fill(future, work):
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


def _shaped(body, run, prefix):
    """A function, or with ``async`` a coroutine function, of the parameters of ``body``; it passes gates."""
    names = ", ".join(body.__code__.co_varnames[: body.__code__.co_argcount])
    source = f"{prefix}def {body.__name__}({names}): return {prefix and 'await '}run(body, {names})"
    scope = {"run": run, "body": body}
    exec(source, scope)
    shaped = scope[body.__name__]
    shaped.__module__, shaped.__qualname__ = body.__module__, body.__qualname__
    shaped.__defaults__ = body.__defaults__
    return shaped


def _run_in_thread(body, *args):
    if not inspect.isgeneratorfunction(body):
        return body(*args)
    steps = body(*args)
    try:
        while True:
            next(steps).pass_as_thread()
    except StopIteration as end:
        return end.value


async def _run_in_task(body, *args):
    if not inspect.isgeneratorfunction(body):
        return body(*args)
    steps = body(*args)
    while True:
        try:
            gate = next(steps)
        except StopIteration as end:
            return end.value
        await gate.pass_as_task()


def adds_up(function, calls):
    """I19: every call is counted once."""
    stats = function.stats()
    assert stats.calls == stats.hits + stats.misses + stats.stale + stats.bypass == calls
    return stats


def crowd(world, function, count, *args):
    """Calls of which one leads and all others follow it."""
    before = function.stats().misses
    started = [world.start(function, *args) for _ in range(count)]
    until(lambda: function.stats().misses == before + count)
    return started

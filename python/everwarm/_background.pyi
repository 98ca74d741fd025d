"""Work in the background: one bounded pool of daemon threads per process, and tasks on the caller's loop."""

from asyncio import Task
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from contextvars import Context
from typing import Any, Final, Literal, TypeAlias

from everwarm._background_stats import BackgroundStats
from everwarm._cache import Cache

_Kind: TypeAlias = Literal["copy", "empty"]

THREADS: Final[int]
QUEUE: Final[int]
TASKS: Final[int]
CLOSE: Final[float]

class Work:
    """One piece of work."""

    context: Context
    owner: Cache | None
    run: Callable[[], object]
    def __init__(self, run: Callable[[], object], context: Context, owner: Cache | None) -> None: ...

def submit(work: Callable[[], object], *, context: _Kind = "copy", owner: Cache | None = None) -> bool: ...
def start(work: Callable[[], object], owner: Cache | None) -> Work | None: ...
def withdraw(work: Work) -> bool: ...
def spawn(
    coroutine: Coroutine[Any, Any, object], *, context: _Kind = "copy", owner: Cache | None = None
) -> bool: ...
def adopt(task: Task[Any], owner: Cache | None) -> bool: ...
def waiting() -> AbstractContextManager[None]: ...
def join(owner: Cache | None = None, seconds: float = ...) -> None: ...
async def ajoin(owner: Cache | None = None, seconds: float = ...) -> None: ...
def stats() -> BackgroundStats: ...

from collections.abc import Callable
from contextvars import Context
from threading import Condition, Thread
from typing import Any

from everwarm._cache import Cache
from everwarm._native import Turn

MOST: int

class _Call:
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    due: float
    loop: Any
    context: Context
    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], due: float
    ) -> None: ...
    def is_possible(self) -> bool: ...
    def lead(self) -> Turn | None: ...
    def begin(self) -> None: ...

_Calls = dict[tuple[int, int], _Call]

class _Timer:
    changed: Condition
    calls: dict[Cache, _Calls]
    thread: Thread | None
    ending: bool
    def __init__(self, calls: dict[Cache, _Calls]) -> None: ...
    def put(self, cache: Cache, key: tuple[int, int], call: _Call) -> _Call | None: ...
    def start(self) -> None: ...
    def run(self) -> None: ...
    def run_due(self, cache: Cache) -> tuple[int, float]: ...
    def forget(self, cache: Cache) -> None: ...

_timer: _Timer

def note(
    function: Callable[..., Any], key: int, args: tuple[Any, ...], kwargs: dict[str, Any], due: float
) -> None: ...
def run_due(cache: Cache) -> int: ...
def forget(cache: Cache) -> None: ...

"""How a batch gets what memory does not have: one body, which a thread drives as well as a task."""

from collections.abc import Awaitable, Callable, Generator
from typing import Any, Protocol, TypeAlias, TypeVar, type_check_only

from everwarm import _native
from everwarm._batch import Batch
from everwarm._function import Function
from everwarm._ids import Call
from everwarm._native import Plan, Turn

_T = TypeVar("_T")

_AnyBatch: TypeAlias = Batch[Any, Any, ..., Any, Any]

@type_check_only
class _Wish(Protocol):
    """What steps want done before they go on."""

    def done(self) -> Any: ...
    def adone(self) -> Awaitable[Any]: ...

_Steps: TypeAlias = Generator[_Wish, Any, _T]

class Compute:
    """The function is to be called."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    def __init__(
        self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None: ...
    def done(self) -> Any: ...
    def adone(self) -> Awaitable[Any]: ...

class Ring:
    """What is woken once stores have answered."""

    def done(self) -> _native.Ring: ...
    async def adone(self) -> _native.Ring: ...

class Rest:
    """Stores are waited for."""

    ring: _native.Ring
    seconds: float
    def __init__(self, ring: _native.Ring, seconds: float) -> None: ...
    def done(self) -> None: ...
    def adone(self) -> Awaitable[None]: ...

class Wait:
    """Somebody else computes."""

    turn: Turn
    def __init__(self, turn: Turn) -> None: ...
    def done(self) -> bool | None: ...
    def adone(self) -> Awaitable[bool]: ...

class Behind:
    """Steps are to be done in the background."""

    steps: _Steps[Any]
    one: Function[..., Any]
    def __init__(self, steps: _Steps[Any], one: Function[..., Any]) -> None: ...
    def done(self) -> None: ...
    async def adone(self) -> None: ...

def drive(steps: _Steps[_T]) -> _T: ...
async def adrive(steps: _Steps[_T]) -> _T: ...
def alone(function: Callable[..., Any], call: Call) -> _Steps[Any]: ...
def answer(batch: _AnyBatch, call: Call, plan: Plan = ...) -> _Steps[Any]: ...
def results(batch: _AnyBatch, call: Call, plan: Plan = ...) -> _Steps[Any]: ...

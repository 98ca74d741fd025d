"""What an awaited call does when it is no hit: lead, or wait for who leads."""

from collections.abc import Awaitable, Mapping
from typing import Any, Final, Literal, TypeVar, overload

from everwarm._function import Function
from everwarm._limits import Deadline
from everwarm._native import Errand, Plan, Ring, Turn, Wanted

_E = TypeVar("_E", bound=BaseException)

ORDINARY: Final[Plan]

@overload
async def drive(
    function: Function[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    plan: Plan = ...,
    described: Literal[False] = False,
) -> Any: ...
@overload
async def drive(
    function: Function[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    plan: Plan = ...,
    *,
    described: Literal[True],
) -> tuple[Any, str]: ...
def asker() -> Ring | None: ...
async def asked(turn: Turn, deadline: Deadline | None = None) -> None: ...
async def arrival(turn: Turn, deadline: Deadline | None = None) -> bool: ...
async def computed(
    function: Function[..., Any] | Wanted,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    turn: Turn,
    lead: int,
) -> Any: ...
def awaitable(errand: Errand, loop: object) -> Awaitable[Any]: ...
def leader_is_gone(lead: int) -> bool: ...
def own_copy(error: _E) -> _E: ...

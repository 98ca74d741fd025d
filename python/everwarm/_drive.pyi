"""What an awaited call does when it is no hit: lead, or wait for who leads."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar, overload

from everwarm._function import Function

_E = TypeVar("_E", bound=BaseException)

@overload
async def drive(
    function: Function[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    refresh: bool = False,
    described: Literal[False] = False,
) -> Any: ...
@overload
async def drive(
    function: Function[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    refresh: bool = False,
    *,
    described: Literal[True],
) -> tuple[Any, str]: ...
def leader_is_gone(lead: int) -> bool: ...
def own_copy(error: _E) -> _E: ...

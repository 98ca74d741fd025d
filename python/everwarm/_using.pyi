"""One call that is told to do differently: `function.using(max_age=5)(...)`."""

from collections.abc import Coroutine, Mapping
from typing import Any, Final, Generic, ParamSpec, TypedDict, TypeVar, final, overload, type_check_only

from everwarm._drive import ORDINARY as ORDINARY
from everwarm._function import Function
from everwarm._native import Plan
from everwarm._policy import _Duration  # pyright: ignore[reportPrivateUsage]
from everwarm._result import Result

__all__ = ["ORDINARY", "REFRESH", "Using", "result_of", "value_of"]

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)
_T = TypeVar("_T")

REFRESH: Final[Plan]

@type_check_only
class Options(TypedDict, total=False):
    """The options of `using`."""

    skip: bool
    refresh: bool
    only_if_cached: bool
    max_age: _Duration | None
    max_stale: _Duration | None
    read_only: bool
    write_only: bool
    soft_timeout: _Duration | None
    hard_timeout: _Duration | None
    wait_timeout: _Duration | None

@final
class Using(Generic[_P, _R_co]):
    """A decorated function that calls with options."""

    def __init__(
        self, function: Function[..., Any], before: tuple[object, ...], options: Mapping[str, Any]
    ) -> None: ...
    def __call__(self, /, *args: _P.args, **kwargs: _P.kwargs) -> _R_co: ...
    # The overlap is a function that is declared to return a coroutine as an `object`.
    @overload
    def call(  # type: ignore[overload-overlap]
        self: Using[_P, Coroutine[Any, Any, _T]], /, *args: _P.args, **kwargs: _P.kwargs
    ) -> Coroutine[Any, Any, Result[_T]]: ...
    @overload
    def call(self, /, *args: _P.args, **kwargs: _P.kwargs) -> Result[_R_co]: ...

def value_of(
    function: Function[..., Any], plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any: ...
def result_of(
    function: Function[..., Any], plan: Plan, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any: ...

"""`lru_cache`: what `functools.lru_cache` does, with single flight, coroutine functions and the verbs."""

from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar, overload

from everwarm._function import Function

_P = ParamSpec("_P")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)

class LruFunction(Function[_P, _R_co], Generic[_P, _R_co]):
    """A function decorated by `lru_cache`."""

@overload
def lru_cache(maxsize: Callable[_P, _R], typed: bool = False) -> Function[_P, _R]: ...
@overload
def lru_cache(
    maxsize: int | None = 128, typed: bool = False
) -> Callable[[Callable[_P, _R]], Function[_P, _R]]: ...

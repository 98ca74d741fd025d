"""Policies with names."""

from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, final, overload

from typing_extensions import Unpack

from everwarm._cache import Cache
from everwarm._function import Function
from everwarm._policy import Policy, PolicyKeywords

_P = ParamSpec("_P")
_R = TypeVar("_R")

POLICIES: Final[dict[str, Policy]]

@final
class Preset:
    """A cache as a decorator with a policy that has a name."""

    name: str
    policy: Policy
    layers: dict[str, Any]

    def __init__(self, cache: Cache, name: str) -> None: ...
    @overload
    def __call__(self, function: Callable[_P, _R], /) -> Function[_P, _R]: ...
    @overload
    def __call__(
        self, function: None = None, /, **keywords: Unpack[PolicyKeywords]
    ) -> Callable[[Callable[_P, _R]], Function[_P, _R]]: ...

"""Callables that policies and caches are given: whether they can be called as they will be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from everwarm._native import _Parameter  # pyright: ignore[reportPrivateUsage]
from everwarm._policy import Policy

def check_fields(fields: Mapping[str, Any]) -> None: ...
def check_calls(policy: Policy, wrapped: Callable[..., Any], parameters: Sequence[_Parameter]) -> None: ...
def check(name: str, given: Callable[..., Any], form: str, count: int) -> None: ...
def check_kind(name: str, given: Callable[..., Any], form: str) -> None: ...
def check_arguments(
    name: str,
    given: Callable[..., Any],
    form: str,
    wrapped: Callable[..., Any],
    parameters: Sequence[_Parameter],
) -> None: ...

"""Options that do not exist: the error names the nearest that does."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec

_P = ParamSpec("_P")

def known(initialize: Callable[_P, None]) -> Callable[_P, None]: ...
def refuse_unknown(given: Mapping[str, Any], names: Sequence[str]) -> None: ...
def nearest(name: str, names: Sequence[str]) -> str: ...

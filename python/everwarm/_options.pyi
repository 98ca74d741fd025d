"""Options that do not exist: the error names the nearest that does."""

from collections.abc import Callable
from typing import ParamSpec

_P = ParamSpec("_P")

def known(initialize: Callable[_P, None]) -> Callable[_P, None]: ...

"""Verbs that ask stores behind a connection: a thread of the pool does them, while a task waits."""

from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")

async def aside(call: Callable[[], _T], owner: Any) -> _T: ...

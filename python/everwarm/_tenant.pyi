"""Tenants of a cache."""

from contextvars import ContextVar
from typing import Any

def check(tenant: ContextVar[Any] | None, strict: bool) -> None: ...

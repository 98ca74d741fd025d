"""Tenants of a cache: whose entries its own verbs and its functions may meet."""

from __future__ import annotations

from contextvars import ContextVar

from everwarm._errors import ConfigError


def check(tenant, strict):
    """Raises ``ConfigError`` for what is no tenant of a cache, or no word on strictness."""
    if tenant is not None and not isinstance(tenant, ContextVar):
        raise ConfigError(
            f"the tenant of a cache is a ContextVar, not {type(tenant).__name__}\n"
            'hint: write `tenant=ContextVar("tenant")`, or give `tenant=` to each function'
        )
    if not isinstance(strict, bool):
        raise ConfigError(f"strict is True or False, not {type(strict).__name__}\nhint: write `strict=True`")

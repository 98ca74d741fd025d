"""One cache for Python and Rust.

>>> from everwarm import cache
>>> @cache(ttl="5m")
... def area(radius: float) -> float:
...     return 3 * radius * radius
>>> area(2.0), area(2.0), area.stats().hits
(12.0, 12.0, 1)
"""

from __future__ import annotations

import os as _os

import everwarm._load  # noqa: F401 - the native side wants it loaded
from everwarm import _drive
from everwarm._background_stats import BackgroundStats, background_stats
from everwarm._batch import Batch
from everwarm._cache import Cache, cache
from everwarm._config import configure
from everwarm._context import DO_NOT_STORE, Context, context
from everwarm._copy import Copied
from everwarm._ddl import ddl
from everwarm._disabled import disabled
from everwarm._errors import (
    BatchMismatch,
    Closed,
    ConfigError,
    Error,
    KeyRefused,
    NotCached,
    NotHeld,
    Recursion,
    StoreError,
    TenantMissing,
    Timeout,
    UnknownOption,
    Unsupported,
    ValueRefused,
)
from everwarm._explain import Explanation
from everwarm._format import register
from everwarm._function import Function
from everwarm._health import Advice, Health, TierHealth
from everwarm._keyed import Keyed, NotKeyed
from everwarm._keyring import Keyring
from everwarm._lru import lru_cache
from everwarm._moving import Moving
from everwarm._policy import Policy
from everwarm._redis_py import from_redis_py
from everwarm._result import Result, Stats, TierStats, WhatIf
from everwarm._store import Store
from everwarm._tier import Tier

__all__ = [
    "Advice",
    "BackgroundStats",
    "Batch",
    "BatchMismatch",
    "Cache",
    "Closed",
    "ConfigError",
    "Context",
    "Copied",
    "DO_NOT_STORE",
    "Error",
    "Explanation",
    "Function",
    "Health",
    "KeyRefused",
    "Keyed",
    "Keyring",
    "Moving",
    "NotCached",
    "NotHeld",
    "NotKeyed",
    "Policy",
    "Recursion",
    "Result",
    "Stats",
    "Store",
    "StoreError",
    "TenantMissing",
    "Timeout",
    "UnknownOption",
    "Unsupported",
    "ValueRefused",
    "Tier",
    "TierHealth",
    "TierStats",
    "WhatIf",
    "background_stats",
    "cache",
    "configure",
    "context",
    "ddl",
    "disabled",
    "from_redis_py",
    "lru_cache",
    "register",
]

if hasattr(_os, "register_at_fork"):
    _os.register_at_fork(
        before=lambda: _drive._native.at_fork("before"),
        after_in_parent=lambda: _drive._native.at_fork("parent"),
        after_in_child=_drive._after_fork,
    )

"""One cache for Python and Rust."""

from everwarm._background_stats import BackgroundStats as BackgroundStats
from everwarm._background_stats import background_stats as background_stats
from everwarm._batch import Batch as Batch
from everwarm._cache import Cache as Cache
from everwarm._cache import cache as cache
from everwarm._config import configure as configure
from everwarm._context import DO_NOT_STORE as DO_NOT_STORE
from everwarm._context import Context as Context
from everwarm._context import context as context
from everwarm._copy import Copied as Copied
from everwarm._ddl import ddl as ddl
from everwarm._disabled import disabled as disabled
from everwarm._errors import BatchMismatch as BatchMismatch
from everwarm._errors import Closed as Closed
from everwarm._errors import ConfigError as ConfigError
from everwarm._errors import Error as Error
from everwarm._errors import KeyRefused as KeyRefused
from everwarm._errors import NotCached as NotCached
from everwarm._errors import NotHeld as NotHeld
from everwarm._errors import Recursion as Recursion
from everwarm._errors import StoreError as StoreError
from everwarm._errors import TenantMissing as TenantMissing
from everwarm._errors import Timeout as Timeout
from everwarm._errors import UnknownOption as UnknownOption
from everwarm._errors import Unsupported as Unsupported
from everwarm._errors import ValueRefused as ValueRefused
from everwarm._explain import Explanation as Explanation
from everwarm._format import register as register
from everwarm._function import Function as Function
from everwarm._health import Advice as Advice
from everwarm._health import Health as Health
from everwarm._health import TierHealth as TierHealth
from everwarm._keyed import Keyed as Keyed
from everwarm._keyed import NotKeyed as NotKeyed
from everwarm._keyring import Keyring as Keyring
from everwarm._lru import lru_cache as lru_cache
from everwarm._moving import Moving as Moving
from everwarm._policy import Policy as Policy
from everwarm._redis_py import from_redis_py as from_redis_py
from everwarm._result import Result as Result
from everwarm._result import Stats as Stats
from everwarm._result import TierStats as TierStats
from everwarm._result import WhatIf as WhatIf
from everwarm._store import Store as Store
from everwarm._tier import Tier as Tier

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

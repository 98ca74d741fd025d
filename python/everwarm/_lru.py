"""The names that ``functools.lru_cache`` gives, for code that asks for them."""

from __future__ import annotations

from collections import namedtuple

CacheInfo = namedtuple("CacheInfo", ("hits", "misses", "maxsize", "currsize"))
CacheInfo.__doc__ = "What ``cache_info()`` gives: hits, misses, the bound and the number of entries."

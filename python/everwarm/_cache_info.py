"""The tuple that ``cache_info()`` gives; apart, so that importing the package does without `collections`."""

from __future__ import annotations

from collections import namedtuple

CacheInfo = namedtuple("CacheInfo", ("hits", "misses", "maxsize", "currsize"))
CacheInfo.__doc__ = "What ``cache_info()`` gives: hits, misses, the bound and the number of entries."

"""The names that `functools.lru_cache` gives, for code that asks for them."""

from typing import NamedTuple

class CacheInfo(NamedTuple):
    """What `cache_info()` gives: hits, misses, the bound and the number of entries."""

    hits: int
    misses: int
    maxsize: int
    currsize: int

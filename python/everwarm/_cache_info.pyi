"""The tuple that `cache_info()` gives."""

from typing import NamedTuple

class CacheInfo(NamedTuple):
    """What `cache_info()` gives: hits, misses, the bound and the number of entries."""

    hits: int
    misses: int
    maxsize: int | None
    currsize: int

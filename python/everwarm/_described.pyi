"""What `describe()` shows of a cache."""

from everwarm._cache import Cache
from everwarm._config import Taken

def fields(cache: Cache, settings: dict[str, Taken]) -> dict[str, Taken]: ...

"""The first use of a cache."""

from typing import Any

# A descriptor: what it gives is said where it is used.
FromFirstUse: Any

def place_of_use() -> str: ...

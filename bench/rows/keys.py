"""Keys for the rows about hits: 1,000 of each kind, made anew on each call: no two lists share objects."""

from __future__ import annotations

import random

COUNT = 1_000


def integers(count: int = COUNT) -> list[int]:
    """Return distinct integers in a fixed, scattered order."""
    return random.Random(1).sample(range(1_000, 10_000_000), count)


def texts(count: int = COUNT) -> list[str]:
    """Return distinct texts of the length that identifiers have."""
    return [f"user:{number}" for number in integers(count)]

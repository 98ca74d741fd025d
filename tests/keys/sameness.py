"""Sameness of nested built-in values, written out: one exact type and one content, all the way down."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import Any


def same(left: Any, right: Any) -> bool:
    """Whether two values are one for a cache."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return same_float(left, right)
    if isinstance(left, complex):
        return same_float(left.real, right.real) and same_float(left.imag, right.imag)
    if isinstance(left, (tuple, list)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return same_parts(left.items(), right.items())
    if isinstance(left, (set, frozenset)):
        return same_parts(left, right)
    return bool(left == right)


def same_float(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return struct.pack("d", left) == struct.pack("d", right)


def same_parts(left: Iterable[Any], right: Iterable[Any]) -> bool:
    rest = list(right)
    for part in left:
        found = next((at for at, other in enumerate(rest) if same(part, other)), None)
        if found is None:
            return False
        del rest[found]
    return not rest

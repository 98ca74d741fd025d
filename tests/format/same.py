"""Whether what came back is what went in: the same exact type and content, at every level."""

from __future__ import annotations

import collections
import dataclasses
import enum
import struct
from typing import Any


def same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, memoryview):
        return (one.format, one.shape) == (two.format, two.shape) and same(one.tolist(), two.tolist())
    if isinstance(one, enum.Enum):
        return one is two
    if type(one) is int:
        return bool(one == two)
    if type(one) is float:
        return struct.pack("d", one) == struct.pack("d", two)
    if type(one) is complex:
        return same(one.real, two.real) and same(one.imag, two.imag)
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(two, name)) for name in names)
    if isinstance(one, collections.deque) and one.maxlen != two.maxlen:
        return False
    if isinstance(one, collections.defaultdict) and one.default_factory is not two.default_factory:
        return False
    if isinstance(one, dict):
        return same([*one.items()], [*two.items()])
    if isinstance(one, (set, frozenset)):
        # Elements that are equal may be of different types; each must be found among the others.
        others = {(type(element), repr(element)) for element in two}
        return len(one) == len(two) and all((type(each), repr(each)) in others for each in one)
    if isinstance(one, (list, tuple, collections.deque)):
        return len(one) == len(two) and all(map(same, one, two))
    return repr(one) == repr(two)

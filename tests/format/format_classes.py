"""The classes whose instances the tests of formats store."""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


@dataclasses.dataclass
class Point:
    x: Any
    y: Any = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    """Its constructor would refuse what its fields may hold."""

    name: str
    note: Any = dataclasses.field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.name == "":
            raise ValueError("a name")


@dataclasses.dataclass
class Counted:
    total: int
    doubled: int = dataclasses.field(init=False, default=0)

    @functools.cached_property
    def half(self) -> float:
        return self.total / 2


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


class Pair(NamedTuple):
    first: Any
    second: Any


class Colour(enum.Enum):
    RED = 1
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Named:
    """Says nothing of its content."""


ALL = [Point, Frozen, Counted, Box, Pair, Colour, Level, Access]

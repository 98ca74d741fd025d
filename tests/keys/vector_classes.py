"""The classes that `tests/vectors/keys.json` names."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple


@dataclasses.dataclass
class Point:
    x: Any
    y: Any


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    note: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Empty:
    pass


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


class Session:
    """Known by the key it declares."""

    def __init__(self, key: Any) -> None:
        self.key = key

    def __cache_key__(self) -> Any:
        return self.key

    class Inner(enum.Enum):
        ONE = 1

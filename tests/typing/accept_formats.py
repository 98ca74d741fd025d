"""Classes that are announced, and what a refusal is."""

from dataclasses import dataclass
from enum import Enum

import everwarm
from everwarm import ValueRefused
from typing_extensions import assert_type


@everwarm.register
@dataclass
class Point:
    x: int


class Colour(Enum):
    RED = 1


assert_type(Point(1).x, int)
assert_type(everwarm.register(Colour), type[Colour])

error: TypeError = ValueRefused("what\nhint: how")

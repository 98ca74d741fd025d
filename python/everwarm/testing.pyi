"""Time under the control of a test."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import final

from everwarm._native import Hand

__all__ = ["ManualClock", "clock"]

@final
class ManualClock(Hand):
    """A clock that moves when told to; give it to `Cache(clock=...)`."""

@contextmanager
def clock(hand: ManualClock) -> Generator[ManualClock]: ...

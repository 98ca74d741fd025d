"""A manual clock that moves as freezegun or time-machine move the time of a test."""

from collections.abc import Generator
from contextlib import contextmanager

from everwarm.testing import ManualClock

@contextmanager
def follow(hand: ManualClock) -> Generator[ManualClock]: ...

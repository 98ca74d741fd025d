"""The worlds and the clock of `promises`, for tests of what is old, early, absent or wrong."""

from __future__ import annotations

import pytest
from worlds import Loops, Threads, until

_WORLDS = {"threads": Threads, "loop": lambda: Loops(1)}


@pytest.fixture(params=_WORLDS)
def world(request):
    made = _WORLDS[request.param]()
    yield made
    made.close()


class Source:
    """A function's source: what it gives next, or fails with, and how often it was asked."""

    def __init__(self):
        self.asked = 0
        self.error = None
        self.value = None

    def __call__(self, *_):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.asked if self.value is None else self.value

    def is_asked(self, times):
        """Waits until it was asked so often."""
        until(lambda: self.asked >= times)


@pytest.fixture
def source():
    return Source()

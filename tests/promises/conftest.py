"""What every test of a promise may ask for: each world in turn, a manual clock, and a cache that reads it."""

from __future__ import annotations

import pytest
from worlds import Loops, Threads

_WORLDS = {"threads": Threads, "loop": lambda: Loops(1), "loops": lambda: Loops(3)}


@pytest.fixture(params=_WORLDS)
def world(request):
    made = _WORLDS[request.param]()
    yield made
    made.close()

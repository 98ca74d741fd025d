"""What the tests of invalidation share: the worlds of the promises, and caches on memory and on `disk:`."""

from __future__ import annotations

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock
from worlds import Loops, Threads


@pytest.fixture(params=["threads", "loop"])
def world(request):
    made = Threads() if request.param == "threads" else Loops(1)
    yield made
    made.close()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path, clock):
    """A cache on memory alone, and one with a store behind it."""
    stores = None if request.param == "memory" else f"disk://{tmp_path}/store"
    made = Cache(stores, namespace="shop", clock=clock)
    yield made
    made.close()

"""What the tests of object verbs share: a cache, its verbs in both worlds, a clock that the test moves."""

from __future__ import annotations

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock
from ways import WORLDS


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


@pytest.fixture
def shop(world, clock):
    """The verbs of a cache with a manual clock."""
    verbs = world(Cache(clock=clock, namespace="shop"))
    yield verbs
    verbs.end()

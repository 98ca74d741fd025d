"""What the tests of object verbs share: a cache, its verbs in both worlds, a clock that the test moves."""

from __future__ import annotations

import pytest
from everwarm import Cache
from everwarm.testing import open_store
from ways import WORLDS


@pytest.fixture(params=WORLDS)
def world(request):
    return WORLDS[request.param]


# Where the entries lie: in memory, in a store behind it, or in a store alone.
PLACES = {
    "memory": lambda clock: None,
    "tiered": lambda clock: ["memory://", open_store("memory://", clock=clock)],
    "stored": lambda clock: [open_store("memory://", clock=clock)],
}


@pytest.fixture(params=PLACES)
def shop(request, world, clock):
    """The verbs of a cache with a manual clock."""
    verbs = world(Cache(PLACES[request.param](clock), clock=clock, namespace="shop"))
    verbs.place = request.param
    yield verbs
    verbs.end()

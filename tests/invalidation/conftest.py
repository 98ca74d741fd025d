"""What the tests of invalidation share: the worlds of the promises, and caches on memory, disk and Redis."""

from __future__ import annotations

import pytest
from everwarm import Cache
from servers import emptied, needed
from worlds import Loops, Threads


@pytest.fixture(params=["threads", "loop"])
def world(request):
    made = Threads() if request.param == "threads" else Loops(1)
    yield made
    made.close()


@pytest.fixture(params=["memory", "disk", "redis"])
def cache(request, tmp_path, clock):
    """A cache on memory alone, and ones with a store behind it."""
    stores = None if request.param == "memory" else f"disk://{tmp_path}/store"
    if request.param == "redis":
        stores = emptied(needed("EVERWARM_TEST_REDIS"), "shop")
    made = Cache(stores, namespace="shop", clock=clock)
    yield made
    made.close()

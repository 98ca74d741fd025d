"""The servers that these tests have for themselves, and the worlds that call."""

from __future__ import annotations

import pytest
from servers import Group, OwnServer
from worlds import Loops, Threads


@pytest.fixture(params=[Threads, lambda: Loops(1)], ids=["sync", "async"])
def world(request):
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path):
    """A server of this test's own, which runs."""
    server = OwnServer(tmp_path).start()
    yield server
    server.thaw()
    server.kill()


@pytest.fixture(scope="session")
def cluster():
    """A cluster of three masters with a replica each; whoever kills one starts it again."""
    group = Group("cluster")
    yield group
    group.end()


@pytest.fixture(scope="session")
def sentinel():
    """A master with two replicas, and the sentinels that watch them."""
    group = Group("sentinel")
    yield group
    group.end()

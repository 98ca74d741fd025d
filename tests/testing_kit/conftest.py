"""The worlds of the promises, for the testing kit too."""

from __future__ import annotations

import pytest
from worlds import Loops, Threads


@pytest.fixture(params=[Threads, lambda: Loops(1)], ids=["threads", "loop"])
def world(request):
    made = request.param()
    yield made
    made.close()

"""What the tests of batches share: each way to call one, caches that remember their batches' calls."""

from __future__ import annotations

import asyncio
import threading

import pytest


class Sync:
    """Batches over sync functions."""

    name = "sync"
    is_async = False

    def shaped(self, body):
        def batch(ids, scale=1):
            return body(ids, scale)

        return batch

    def run(self, given):
        return given


class Async:
    """Batches over coroutine functions."""

    name = "async"
    is_async = True

    def shaped(self, body):
        async def batch(ids, scale=1):
            await asyncio.sleep(0)
            return body(ids, scale)

        return batch

    def run(self, given):
        async def awaited():
            return await given

        return asyncio.run(awaited())


@pytest.fixture(params=[Sync, Async], ids=lambda way: way.name)
def way(request):
    return request.param()


class Source:
    """A function of ids that notes what it is called with; negative ids it does not have."""

    def __init__(self):
        self.calls = []
        self.lock = threading.Lock()

    def __call__(self, ids, scale):
        with self.lock:
            self.calls.append(ids)
        return {each: each * 10 * scale for each in ids if each >= 0}

    @property
    def computed(self):
        """All ids that it was called with."""
        return [each for ids in self.calls for each in ids]


@pytest.fixture
def source():
    return Source()

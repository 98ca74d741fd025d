"""What the tests of background work share: a pool that no other test has used."""

from __future__ import annotations

import threading

import pytest
from everwarm import _background

PATIENCE = 20.0


@pytest.fixture
def pool(monkeypatch):
    """A pool of this test's own."""
    made = _background._Pool()
    monkeypatch.setattr(_background, "_pool", made)
    yield made
    with made.changed:
        made.ending = True
        made.queue.clear()
        made.changed.notify_all()


class Held:
    """Work that begins, and ends when it is told to."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self):
        self.begun.release()
        assert self.go.wait(PATIENCE)

    def has_begun(self, times=1):
        for _ in range(times):
            assert self.begun.acquire(timeout=PATIENCE)


@pytest.fixture
def held():
    work = Held()
    yield work
    work.go.set()

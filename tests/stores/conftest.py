"""What the tests of stores behind caches share: one place, caches as if of several processes."""

from __future__ import annotations

import itertools

import pytest
from everwarm import Cache, _native
from everwarm.testing import open_store
from servers import emptied, needed


class Place:
    """One store and the caches that have it as their last tier."""

    def __init__(self, url):
        # In memory it is one object; elsewhere every cache opens the directory for itself.
        self._store = open_store(url) if url.startswith("memory:") else url
        self._caches = []

    def cache(self, *, memory=True, **keywords):
        """A cache of another process, so to speak: with a memory of its own before the store, or without."""
        tiers = ["memory://", self._store] if memory else [self._store]
        made = Cache(tiers, namespace="shop", **keywords)
        self._caches.append(made)
        return made

    def end(self):
        for cache in self._caches:
            cache.close()


ONCE = [pytest.param(kind, marks=pytest.mark.once) for kind in ("memcached", "http", "sqlite")]


@pytest.fixture(params=["memory", "disk", "file", "redis", *ONCE])
def place(request, tmp_path):
    if request.param in ("redis", "memcached"):
        url = emptied(needed(f"EVERWARM_TEST_{request.param.upper()}"), "shop")
    elif request.param == "http":
        served = _native.serve(
            (f"disk://{tmp_path}/store", "127.0.0.1:0"), None, ([], False, None), (1 << 26, 64)
        )
        url = served.url
    else:
        url = "memory://" if request.param == "memory" else f"{request.param}://{tmp_path}/store"
    place = Place(url)
    place.kind = request.param
    yield place
    place.end()
    if request.param == "http":
        served.end(1.0)


@pytest.fixture
def number():
    """What tells computations apart."""
    return itertools.count(1)

"""A store that cannot be opened is one that is down: it keeps its place, is owed things, and comes back."""

from __future__ import annotations

import logging
import os
import resource
import time

import pytest
from everwarm import Cache, StoreError

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def open_to_all(tmp_path):
    """A directory that no store takes until its permissions are mended."""
    place = tmp_path / "store"
    place.mkdir()
    place.chmod(0o777)
    return place


@pytest.fixture
def without_descriptors():
    """Takes away and gives back what it takes to open files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def take(away):
        resource.setrlimit(resource.RLIMIT_NOFILE, (0 if away else limits[0], limits[1]))

    yield take
    take(False)


def soon(holds):
    """Whether it holds within the five seconds that are promised."""
    until = time.monotonic() + 5
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def test_it_keeps_its_place_and_is_used_when_it_can_be(open_to_all, tmp_path, number):
    stores = ["memory://", f"disk://{tmp_path}/near", f"disk://{open_to_all}"]
    cache = Cache(stores, namespace="shop")
    price = cache(name="price", ttl=60)(lambda sku: next(number))
    assert [price("lamp"), price("lamp")] == [1, 1], "memory has it"
    near, far = cache.tiers()
    assert near.name == far.name == "disk" and far.errors["transient"] > 0
    # The nearer one is no authority for that.
    cache.set("k", 1)
    assert Cache([stores[1]], namespace="shop").get("k") is None
    open_to_all.chmod(0o700)
    assert soon(cache.ping)
    price.invalidate("lamp")
    assert price("lamp") == 2
    assert Cache(stores[1:], namespace="shop")(name="price", ttl=60)(price.uncached)("lamp") == 2


def test_what_it_was_not_told_is_owed_and_strict_says_so(tmp_path, without_descriptors, number):
    url = f"disk://{tmp_path}/store"
    other = Cache([url], namespace="shop")
    other.set("deleted", 1)
    other.set("tagged", 1, tags=["t"])
    cache = Cache(["memory://", url], namespace="shop", strict=True)
    without_descriptors(True)
    try:
        for removes in (lambda: cache.delete("deleted"), lambda: cache.invalidate_tags("t")):
            with pytest.raises(StoreError, match="invalidation"):
                removes()
    finally:
        without_descriptors(False)
    assert other.get("deleted") == other.get("tagged") == 1
    assert soon(cache.ping)
    assert soon(lambda: other.get("deleted") is None and other.get("tagged") is None)


@pytest.mark.parametrize("url", ["disk://{}", "rediss://127.0.0.1:1/0?ca={}/none.pem"])
def test_what_does_not_pass_by_itself_is_raised_where_it_is_strict(open_to_all, url):
    cache = Cache([url.format(open_to_all)], namespace="shop", strict=True)
    for _ in range(2):
        with pytest.raises(StoreError, match="hint: name"):
            cache.set("k", 1)


def test_the_log_has_it_once_for_each_cache_and_store(open_to_all, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "everwarm")
    other = tmp_path / "other"
    other.write_text("no directory")
    for _ in range(2):
        cache = Cache([f"disk://{open_to_all}", f"disk://{other}"], namespace="shop")
        for number in range(3):
            cache.set(number, number)
    said = [record.getMessage() for record in caplog.records]
    assert [str(place) in line for line, place in zip(said, 2 * [open_to_all, other], strict=True)] == [
        True
    ] * 4
    assert all("could not be opened" in line and "\nhint: " in line for line in said)


def test_a_lock_in_it_raises_until_it_is_there(open_to_all):
    cache = Cache([f"disk://{open_to_all}"], namespace="shop")
    lock = cache.lock("nightly", wait=0)
    with pytest.raises(StoreError):
        lock.acquire()
    open_to_all.chmod(0o700)
    assert soon(cache.ping)
    assert lock.acquire()
    lock.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_child_opens_it_for_itself(open_to_all):
    cache = Cache([f"disk://{open_to_all}"], namespace="shop")
    assert cache.get("k") is None
    open_to_all.chmod(0o700)
    child = os.fork()
    if child == 0:
        cache.set("k", 2)
        os._exit(0 if cache.get("k") == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert soon(cache.ping) and cache.get("k") == 2

"""Bursts on a server that answers: nothing of them is dropped, and many at once are few trips."""

import asyncio
import threading

import pytest
from everwarm import Cache
from servers import emptied, needed

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def cache():
    cache = Cache([emptied(needed("EVERWARM_TEST_REDIS"), "bursts")], namespace="bursts")
    yield cache
    cache.close()


def lost(cache):
    (tier,) = cache.tiers()
    return dict(tier.errors), tier.unasked


def test_nothing_of_a_burst_of_tasks_is_dropped(cache):
    keys = [f"k{x}" for x in range(2_000)]

    async def burst():
        await asyncio.gather(*(cache.aset(key, key) for key in keys))
        return await asyncio.gather(*(cache.aget(key) for key in keys))

    assert asyncio.run(burst()) == keys
    assert lost(cache)[1].get("bulkhead", 0) == 0


def test_nothing_of_a_burst_of_threads_is_dropped(cache):
    threads = [threading.Thread(target=cache.set, args=(f"k{x}", x)) for x in range(400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache.get_many([f"k{x}" for x in range(400)])) == 400
    assert lost(cache)[1].get("bulkhead", 0) == 0


@pytest.mark.parametrize("count", [100, 3_000])
def test_many_are_set_found_and_deleted(cache, count):
    values = {f"k{x}": x for x in range(count)}
    cache.set("keep", 1)
    cache.set_many(values)
    assert cache.get_many(list(values)) == values
    assert cache.delete_many([*values, "absent"]) == count
    assert cache.get_many(list(values)) == {} and cache.get("keep") == 1
    assert lost(cache) == ({}, {})


def test_many_are_deleted_by_a_coroutine(cache):
    cache.set_many({"a": 1, "b": 2})
    assert asyncio.run(cache.adelete_many(["a", "b", "c"])) == 2
    assert cache.get("a") is None

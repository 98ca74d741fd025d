"""Batches over stores: one trip to each tier, and one computation among processes that share a store."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter

import pytest
from everwarm import Cache, ValueRefused
from everwarm.testing import assert_computed, open_store
from worlds import PATIENCE, Gate, Loops, Threads, until


class Counting:
    """A store in a dictionary that counts how often it is asked for what."""

    def __init__(self):
        self.entries, self.calls, self.lock = {}, Counter(), threading.Lock()

    def _find(self, name):
        data, until = self.entries.get(name, (b"", 0.0))
        left = until - time.monotonic()
        return (data, left) if left > 0 else None

    def get(self, name):
        self.calls["get"] += 1
        return self._find(name)

    def get_many(self, names):
        self.calls["get_many"] += 1
        return [self._find(name) for name in names]

    def set(self, name, data, ttl):
        self.calls["set"] += 1
        self.entries[name] = (data, time.monotonic() + ttl)

    def set_many(self, entries):
        self.calls["set_many"] += 1
        for name, data, ttl in entries:
            self.entries[name] = (data, time.monotonic() + ttl)

    def delete(self, name):
        self.calls["delete"] += 1
        return self.entries.pop(name, None) is not None

    def delete_many(self, names):
        self.calls["delete_many"] += 1
        return sum(self.entries.pop(name, None) is not None for name in names)

    def clear(self, prefix):
        for name in [name for name in self.entries if name.startswith(prefix)]:
            self.entries.pop(name, None)


class Leasing(Counting):
    """The same with leases."""

    def __init__(self):
        super().__init__()
        self.leases = {}

    def lease(self, name, token, ttl):
        self.calls["lease"] += 1
        with self.lock:
            held, until = self.leases.get(name, (0, 0.0))
            if held in (0, token) or until < time.monotonic():
                self.leases[name] = (token, time.monotonic() + ttl)
                return None
            return until - time.monotonic()

    def renew(self, name, token, ttl):
        return self.leases.get(name, (0, 0))[0] == token

    def release(self, name, token):
        with self.lock:
            return self.leases.get(name, (0, 0))[0] == token and bool(self.leases.pop(name))

    def set_leased(self, name, token, data, ttl):
        self.calls["set_leased"] += 1
        with self.lock:
            if self.leases.get(name, (0, 0))[0] != token:
                return False
            del self.leases[name]
        self.entries[name] = (data, time.monotonic() + ttl)
        return True


def tens(ids: list[int]) -> dict[int, int]:
    return {each: each * 10 for each in ids if each >= 0}


@pytest.fixture(params=["sync", "async"])
def asked(request):
    """Makes a batch and runs its calls."""

    def make(cache, **keywords):
        async def later(ids: list[int]) -> dict[int, int]:
            return tens(ids)

        batch = cache.batch(name="tens", **keywords)(later if request.param == "async" else tens)

        def call(verb, *args):
            async def awaited():
                return await verb(*args)

            return asyncio.run(awaited()) if request.param == "async" else verb(*args)

        return batch, call

    return make


def test_what_a_store_has_of_a_batch_is_read_in_one_trip(asked):
    store = Counting()
    batch, call = asked(Cache(["memory://", store]), ttl=60)
    assert call(batch, [1, 2, 3, -1]) == [10, 20, 30, None]
    assert (store.calls["get_many"], store.calls["get"]) == (1, 0)
    store.calls.clear()
    batch, call = asked(Cache(["memory://", store]), ttl=60)
    assert call(batch, [1, 2, 3, -1, 2]) == [10, 20, 30, None, 20]
    assert store.calls == {"get_many": 1}
    stats = batch.stats()
    assert (stats.computations, stats.hits, stats.misses) == (0, 4, 0)
    assert call(batch, [1, 2, 3, -1]) == [10, 20, 30, None]
    assert store.calls == {"get_many": 1}


def test_each_tier_is_asked_once_and_nearer_ones_are_filled(asked):
    near, far = Leasing(), Counting()
    batch, call = asked(Cache(["memory://", far]), ttl=60)
    call(batch, [1, 2, 3])
    batch, call = asked(Cache(["memory://", near, far]), ttl=60)
    far.calls.clear()
    assert call(batch, [1, 2, 3]) == [10, 20, 30]
    assert (near.calls["get_many"], far.calls) == (1, {"get_many": 1})
    batch, call = asked(Cache(["memory://", near, far]), ttl=60)
    near.calls.clear()
    with assert_computed(batch, 0):
        assert call(batch, [1, 2, 3]) == [10, 20, 30]
    assert (near.calls, far.calls) == ({"get_many": 1}, {"get_many": 1})


def test_where_a_store_has_leases_every_missing_id_takes_one(asked):
    store = Leasing()
    batch, call = asked(Cache(["memory://", store]), ttl=60)
    assert call(batch, [1, 2, 3]) == [10, 20, 30]
    # Once to look, and once more under the leases.
    assert store.calls == {"get_many": 2, "lease": 3, "set_leased": 3}
    assert store.leases == {}


def test_what_a_batch_computed_is_stored_in_one_trip(asked):
    far = Counting()
    batch, call = asked(Cache(["memory://", far]), ttl=60)
    assert call(batch, [1, 2, 3, -1, 2]) == [10, 20, 30, None, 20]
    assert far.calls == {"get_many": 1, "set_many": 1}


def test_chunks_are_stored_as_they_are_computed(asked):
    far = Counting()
    batch, call = asked(Cache(["memory://", far]), ttl=60, chunk=2)
    assert call(batch, [1, 2, 3]) == [10, 20, 30]
    assert far.calls == {"get_many": 1, "set_many": 2}


@pytest.mark.parametrize("url", ["memory", "disk"])
def test_an_id_that_is_invalidated_meanwhile_is_withheld_and_the_others_are_stored(tmp_path, url):
    shared = open_store("memory://" if url == "memory" else f"disk://{tmp_path}/store")
    here, there = Cache(["memory://", shared]), Cache(["memory://", shared.again()])

    def computed(ids: list[int]) -> dict[int, int]:
        if invalidates:
            elsewhere.invalidate(2)
            there.invalidate_tags("3")
        return tens(ids)

    terms = {"ttl": 60, "name": "tens", "tags": ["{ids}"]}
    batch, elsewhere = here.batch(**terms)(computed), there.batch(**terms)(computed)
    invalidates = True
    assert batch([1, 2, 3, 4]) == [10, 20, 30, 40]
    invalidates = False
    assert elsewhere([1, 2, 3, 4]) == [10, 20, 30, 40]
    assert elsewhere.stats().computations == 2


def test_a_value_that_cannot_be_stored_does_not_keep_the_others_out():
    store = open_store("memory://")

    def computed(ids: list[int]) -> dict[int, object]:
        return {each: threading.Lock() if each == 2 else each for each in ids}

    def batch():
        return Cache(["memory://", store], strict=True).batch(name="computed", ttl=60)(computed)

    with pytest.raises(ValueRefused):
        batch()([1, 2, 3])
    again = batch()
    assert (again([1, 3]), again.stats().computations) == ([1, 3], 0)


def test_what_a_store_had_is_told(asked):
    store = open_store("memory://")
    batch, call = asked(Cache(["memory://", store]), ttl=60)
    call(batch, [1])
    batch, call = asked(Cache(["memory://", store]), ttl=60)
    told = call(batch.call, [1, 2])
    assert [each.value for each in told] == [10, 20]
    assert [(each.status, each.tier) for each in told] == [("hit", "memory"), ("miss", None)]


@pytest.fixture(params=["disk", "file"])
def url(request, tmp_path):
    return f"{request.param}://{tmp_path}/store"


def test_a_batch_is_invalidated_and_primed_in_stores_too(asked, url):
    first, second = Cache(["memory://", url]), Cache([url])
    batch, call = asked(first, ttl=60)
    other, call = asked(second, ttl=60)
    with assert_computed(other, 0):
        assert call(batch, [1, 2]) == call(other, [1, 2]) == [10, 20]
    batch.prime({1: 7, 3: 8})
    batch.invalidate_many([2])
    with assert_computed(other, 1):
        assert call(other, [1, 2, 3]) == [7, 20, 8]
    first.close()
    second.close()


def test_values_come_back_as_the_annotation_of_a_value_says(url):
    def rows(ids: list[int]) -> dict[int, tuple[int, str]]:
        return {each: (each, "a") for each in ids}

    caches = [Cache([url]), Cache([url])]
    for cache in caches:
        assert cache.batch(name="rows")(rows)([1, 2]) == [(1, "a"), (2, "a")]
        cache.close()


@pytest.mark.parametrize("seed", range(3))
def test_i5_of_batches_in_several_caches_on_one_store_each_id_is_computed_once(tmp_path, seed):
    chance = random.Random(seed)
    worlds = [Threads(), Loops(1)]
    counted, lock = Counter(), threading.Lock()

    def note(ids: list[int]) -> dict[int, int]:
        with lock:
            counted.update(ids)
        return {each: each * 10 for each in ids}

    async def later(ids: list[int]) -> dict[int, int]:
        await asyncio.sleep(0.001)
        return note(ids)

    caches = [Cache(["memory://", f"disk://{tmp_path}/store"]) for _ in range(4)]
    same = {"name": "tens", "depends_on": "nothing"}
    functions = [
        (world, cache.batch(ttl=60, chunk=20, **same)(later if world.is_async else note))
        for cache, world in zip(caches, worlds * 2, strict=True)
    ]
    batches = [chance.choices(range(100), k=chance.randrange(1, 40)) for _ in range(24)]
    started = [
        functions[number % 4][0].start(functions[number % 4][1], ids) for number, ids in enumerate(batches)
    ]
    for ids, future in zip(batches, started, strict=True):
        assert future.result(PATIENCE) == [each * 10 for each in ids]
    assert counted == dict.fromkeys({each for ids in batches for each in ids}, 1)
    for cache in caches:
        cache.close()
    for world in worlds:
        world.close()


@pytest.mark.parametrize("make", [Threads, lambda: Loops(1)], ids=["threads", "loop"])
def test_batches_of_two_processes_that_lead_what_the_other_waits_for_both_go_on(tmp_path, make):
    world, gate = make(), Gate()
    calls = []

    def tens(ids):
        calls.append(ids)
        if 1 in ids:
            yield gate
        return {each: each * 10 for each in ids}

    caches = [Cache(["memory://", f"disk://{tmp_path}/store"]) for _ in range(2)]
    functions = [cache.batch(name="t")(world.cached(lambda function: function)(tens)) for cache in caches]
    first = world.start(functions[0], [1, 2])
    gate.is_reached()
    second = world.start(functions[1], [3, 2])
    until(lambda: functions[1].peek(3) is not None)
    gate.open()
    assert first.result(PATIENCE) == [10, 20]
    assert second.result(PATIENCE) == [30, 20]
    assert calls == [[1, 2], [3]]
    for cache in caches:
        cache.close()
    world.close()

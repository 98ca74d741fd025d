"""DESIGN 1.2 for each verb: after it has returned, a value whose computation began before is not served."""

from __future__ import annotations

import pytest
from worlds import Gate


def in_a_unit(cache, load):
    with cache.unit_of_work():
        load.invalidate("a")


def marked_before(cache, load):
    with cache.unit_of_work(mark_before=True):
        cache.invalidate_tags("key:a")


# What each does, and whether a load that runs meanwhile is stored.
VERBS = {
    "invalidate": (lambda cache, load: load.invalidate("a"), False),
    "tag of the argument": (lambda cache, load: cache.invalidate_tags("key:a"), False),
    "tag of the result": (lambda cache, load: cache.invalidate_tags("result:1"), False),
    "invalidate_where": (lambda cache, load: load.invalidate_where(key="a"), False),
    "clear of the function": (lambda cache, load: load.clear(), False),
    "clear of the cache": (lambda cache, load: cache.clear(), False),
    "prime": (lambda cache, load: load.prime(7, "a"), False),
    "writer": (lambda cache, load: cache.invalidates(keys=lambda: [(load, "a")])(lambda: 0)(), False),
    "unit of work": (in_a_unit, False),
    "unit of work with a mark": (marked_before, False),
    "mark_stale": (lambda cache, load: load.mark_stale("a"), True),
}


@pytest.mark.parametrize("verb", VERBS)
def test_of_functions(world, cache, verb):
    act, is_stored = VERBS[verb]
    gate, runs = Gate(), []

    @world.cached(
        cache(name="load", tags=["key:{key}"], tags_from_result=lambda n: [f"result:{n}"], index=["key"])
    )
    def load(key):
        runs.append(key)
        number = len(runs)
        if number == 1:
            yield gate
        return number

    first = world.start(load, "a")
    gate.is_reached()
    act(cache, load)
    after = None if is_stored else world.start(load, "a")
    if verb == "tag of the result":
        gate.open()  # nobody knows its tags before it ends, so who comes after may wait for that
    if after is not None:
        # Far less than the five seconds of the lease that the first one had.
        assert after.result(3) == (7 if verb == "prime" else 2), "who comes after does not have its value"
    gate.open()
    assert first.result(10) == 1
    found = load.peek("a")
    assert found is not None
    assert found.value == (1 if is_stored else 7 if verb == "prime" else 2)


OBJECT_VERBS = {
    "delete": lambda cache: cache.delete("a"),
    "delete_many": lambda cache: cache.delete_many(["a"]),
    "set": lambda cache: cache.set("a", 2),
    "tags": lambda cache: cache.invalidate_tags("t"),
    "clear": lambda cache: cache.clear(),
}


@pytest.mark.parametrize("verb", OBJECT_VERBS)
@pytest.mark.parametrize("within", ["", "unit of work"])
def test_of_the_cache_itself(world, cache, verb, within):
    gate = Gate()

    def compute():
        gate.pass_as_thread()
        return 1

    async def compute_later():
        await gate.pass_as_task()
        return 1

    def get():
        return cache.get_or_compute("a", compute, tags=["t"])

    async def get_later():
        return await cache.aget_or_compute("a", compute_later, tags=["t"])

    first = world.run(get_later if world.is_async else get)
    gate.is_reached()
    if within:
        with cache.unit_of_work():
            OBJECT_VERBS[verb](cache)
    else:
        OBJECT_VERBS[verb](cache)
    gate.open()
    assert first.result(10) == 1
    assert cache.get("a") == (2 if verb == "set" and not within else None)

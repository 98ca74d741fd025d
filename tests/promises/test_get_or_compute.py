"""`get_or_compute` keeps the promises of functions: one computation, invalidation wins, nobody hangs."""

from __future__ import annotations

import asyncio

import pytest
from everwarm import Cache, Recursion
from worlds import PATIENCE, Gate, Threads, until


class Computed:
    """Asks a cache for one key, computed by ``body``, in the way of a world."""

    def __init__(self, world, cache, body, **keywords):
        self.world, self.cache, self.keywords = world, cache, keywords
        self.ask = cache.aget_or_compute if world.is_async else cache.get_or_compute
        body.__name__ = "compute"  # a lambda has none that can be written
        self.compute = world.cached(lambda function: function)(body)

    def start(self, key="a"):
        return self.world.start(self.ask, key, self.compute, **self.keywords)

    def call(self, key="a"):
        return self.start(key).result(PATIENCE)


@pytest.mark.proves("get_or_compute.ttl")
@pytest.mark.proves("get_or_compute.tags")
def test_it_computes_once_and_stores(world, cache, clock):
    made = []
    wanted = Computed(world, cache, lambda: made.append(object()) or made[-1], ttl=5, tags=["letters"])
    assert wanted.call() is made[0] and wanted.call() is made[0] and cache.get("a") is made[0]
    assert cache.ttl("a") == 5.0
    clock.advance(5)
    assert wanted.call() is made[-1] and len(made) == 2
    cache.invalidate_tags("letters")
    assert wanted.call() is made[-1] is cache.get("a") and len(made) == 3
    stats = cache.stats()
    assert (stats.computations, stats.hits, stats.misses) == (3, 3, 3)


def test_a_crowd_shares_one_computation(world, cache):
    gate, made = Gate(), []

    def body():
        yield gate
        made.append(object())
        return made[-1]

    wanted = Computed(world, cache, body)
    crowd = [wanted.start() for _ in range(20)]
    until(lambda: cache.stats().misses == 20)
    gate.open()
    assert {id(one.result(PATIENCE)) for one in crowd} == {id(made[0])}
    assert (len(made), cache.stats().followers) == (1, 19)


def test_threads_and_tasks_share_one_computation(world, cache):
    gate = Gate()

    def body():
        yield gate
        return 1

    threads = Threads()
    first, second = Computed(world, cache, body), Computed(threads, cache, lambda: 2)
    leader = first.start()
    gate.is_reached()
    follower = second.start()
    until(lambda: cache.stats().followers == 1)
    gate.open()
    assert leader.result(PATIENCE) == follower.result(PATIENCE) == 1


def test_an_error_arrives_as_itself_and_is_not_stored(world, cache):
    def body():
        raise LookupError("not today")

    wanted = Computed(world, cache, body)
    for _ in range(2):
        with pytest.raises(LookupError, match="not today"):
            wanted.call()
    assert cache.stats().computations == 2 and not cache.exists("a")


ENDS = {
    "delete": (lambda cache: cache.delete("a"), None),
    "set": (lambda cache: cache.set("a", "set"), "set"),
    "add": (lambda cache: cache.add("a", "set"), "set"),
    "set_many": (lambda cache: cache.set_many({"a": "set"}), "set"),
    "incr": (lambda cache: cache.incr("a"), 1),
    "invalidate_tags": (lambda cache: cache.invalidate_tags("letters"), None),
    "clear": (lambda cache: cache.clear(), None),
    "close": (lambda cache: cache.close(), None),
    "replace": (lambda cache: cache.replace("a", "set"), "computed"),
    "expire": (lambda cache: cache.expire("a", 1), "computed"),
    "touch": (lambda cache: cache.touch("a"), "computed"),
    "mark_stale": (lambda cache: cache.mark_stale("a"), "computed"),
    "compare_and_set": (lambda cache: cache.compare_and_set("a", 1, "set"), "computed"),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_takes_effect_meanwhile_wins(world, cache, end):
    gate = Gate()

    def body():
        yield gate
        return "computed"

    act, expected = ENDS[end]
    running = Computed(world, cache, body, tags=["letters"]).start()
    gate.is_reached()
    act(cache)
    gate.open()
    assert running.result(PATIENCE) == "computed", "the caller gets what was computed for it"
    if end == "close":
        assert cache.stats().entries == 0
    else:
        assert cache.get("a") == expected


@pytest.mark.parametrize("is_async", [False, True])
def test_a_computation_that_asks_for_its_own_key_raises(is_async):
    cache = Cache()

    def compute():
        return cache.get_or_compute("a", compute)

    async def awaited():
        return await cache.aget_or_compute("a", awaited)

    with pytest.raises(Recursion, match="waits for itself(.|\n)*hint: "):
        asyncio.run(cache.aget_or_compute("a", awaited)) if is_async else cache.get_or_compute("a", compute)


def test_another_task_goes_on_when_the_leader_is_cancelled():
    cache, computed = Cache(), []

    async def main():
        reached, never = asyncio.Event(), asyncio.Event()

        async def first():
            reached.set()
            await never.wait()

        async def second():
            computed.append("second")
            return 2

        leader = asyncio.ensure_future(cache.aget_or_compute("a", first))
        await reached.wait()
        follower = asyncio.ensure_future(cache.aget_or_compute("a", second))
        while not cache.stats().followers:
            await asyncio.sleep(0)
        leader.cancel()
        assert await asyncio.wait_for(follower, PATIENCE) == 2
        with pytest.raises(asyncio.CancelledError):
            await leader

    asyncio.run(main())
    assert computed == ["second"] and cache.get("a") == 2


def test_any_callable_that_gives_an_awaitable_computes():
    cache = Cache()

    async def main():
        future = asyncio.get_running_loop().create_future()
        future.set_result(1)
        assert await cache.aget_or_compute("a", lambda: future) == 1
        with pytest.raises(TypeError):
            await cache.aget_or_compute("b", lambda: 1)

    asyncio.run(main())
    assert cache.get("a") == 1 and not cache.exists("b")


def test_a_coroutine_is_not_stored():
    async def compute():
        return 1

    cache = Cache()
    with pytest.raises(TypeError, match="aget_or_compute"):
        cache.get_or_compute("a", compute)
    assert not cache.exists("a")


def test_what_cannot_compute_is_refused():
    cache = Cache()
    cache.set("a", 1)
    with pytest.raises(TypeError, match="compute is a callable(.|\n)*hint: "):
        cache.get_or_compute("a", 5)
    with pytest.raises(TypeError, match="compute is a callable(.|\n)*hint: "):
        asyncio.run(cache.aget_or_compute("a", 5))

"""`unit_of_work`: what is invalidated inside is done after the block, and not if it raises."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest
from everwarm import Cache, ConfigError, Unsupported, _delayed, _unit_of_work
from worlds import Gate, until


def gone(function, *args):
    return function.peek(*args) is None


@pytest.fixture
def source():
    return {"lamp": 3, "desk": 5}


@pytest.fixture
def stock(cache, source):
    @cache(name="stock", tags=["sku:{sku}"], index=("sku",))
    def stock(sku):
        return source[sku]

    return stock


VERBS = {
    "invalidate": lambda cache, stock: stock.invalidate("lamp"),
    "tags": lambda cache, stock: cache.invalidate_tags("sku:lamp"),
    "invalidate_where": lambda cache, stock: stock.invalidate_where(sku="lamp"),
    "mark_stale": lambda cache, stock: stock.mark_stale("lamp"),
    "clear of the function": lambda cache, stock: stock.clear(),
    "clear of the cache": lambda cache, stock: cache.clear(),
    "prime": lambda cache, stock: stock.prime(7, "lamp"),
    "writer": lambda cache, stock: cache.invalidates(tags=["sku:lamp"])(lambda: None)(),
}

OBJECT_VERBS = {
    "delete": lambda cache: cache.delete("k"),
    "delete_many": lambda cache: cache.delete_many(["k", "l"]),
    "mark_stale": lambda cache: cache.mark_stale("k"),
    "tags": lambda cache: cache.invalidate_tags("t"),
    "set": lambda cache: cache.set("k", 2),
    "set_many": lambda cache: cache.set_many({"k": 2}),
}


class Rollback(Exception):
    pass


@pytest.mark.parametrize("verb", VERBS)
def test_it_is_done_after_the_block(cache, stock, verb):
    stock("lamp")
    with cache.unit_of_work():
        VERBS[verb](cache, stock)
        # A new context is in no unit, and sees what others see.
        assert contextvars.Context().run(gone, stock, "lamp") is False
    assert gone(stock, "lamp")


@pytest.mark.parametrize("verb", VERBS)
def test_a_block_that_raises_does_nothing(cache, stock, verb):
    stock("lamp")
    with pytest.raises(Rollback), cache.unit_of_work():
        VERBS[verb](cache, stock)
        raise Rollback
    assert not gone(stock, "lamp")


@pytest.mark.parametrize("verb", OBJECT_VERBS)
@pytest.mark.parametrize("raises", [False, True])
def test_entries_of_the_cache_itself(cache, verb, raises):
    cache.set("k", 1, tags=["t"])
    try:
        with cache.unit_of_work():
            OBJECT_VERBS[verb](cache)
            assert cache.get("k") is None and "k" not in cache, "reads see through"
            assert contextvars.Context().run(cache.get, "k") == 1
            if raises:
                raise Rollback
    except Rollback:
        pass
    assert ("k" in cache) is raises


def test_calls_inside_go_past_the_cache(world, cache, source):
    @world.cached(cache(name="stock"))
    def stock(sku):
        return source[sku]

    assert world.call(stock, "lamp") == 3

    def inside():
        with cache.unit_of_work():
            source["lamp"] = 2
            return stock("lamp"), stock("desk")

    async def inside_task():
        async with cache.unit_of_work():
            source["lamp"] = 2
            return await stock("lamp"), await stock("desk")

    assert world.run(inside_task if world.is_async else inside).result(10) == (2, 5)
    assert stock.stats().bypass == 2
    assert stock.peek("lamp").value == 3 and gone(stock, "desk"), "nothing was stored"


def test_explain_says_so(cache, stock):
    with cache.unit_of_work():
        said = stock.explain("lamp")
        assert said.status == "bypass" and "unit of work" in str(said)


def test_other_caches_go_on(cache):
    other = Cache()

    @other
    def f(x):
        return x

    f(1)
    with cache.unit_of_work():
        f(1), f(2)
        f.invalidate(1)
        assert gone(f, 1) and not gone(f, 2)
    assert f.stats().hits == 1


def test_only_the_outermost_decides(cache, stock):
    stock("lamp"), stock("desk")
    with cache.unit_of_work():
        with cache.unit_of_work():
            stock.invalidate("lamp")
        assert contextvars.Context().run(gone, stock, "lamp") is False
        with pytest.raises(Rollback), cache.unit_of_work():
            stock.invalidate("desk")
            raise Rollback
    assert gone(stock, "lamp")
    assert gone(stock, "desk"), "what the inner one changed may have been committed by the outer one"


def test_a_block_between_that_fails(cache, stock):
    stock("lamp")
    with pytest.raises(Rollback), cache.unit_of_work():
        with cache.unit_of_work():
            stock.invalidate("lamp")
        raise Rollback
    assert not gone(stock, "lamp")


def test_tasks_of_the_block_are_inside_until_it_ends(cache, stock):
    async def main():
        ready, go = asyncio.Event(), asyncio.Event()

        async def child():
            stock.invalidate("lamp")
            ready.set()
            await go.wait()
            stock.invalidate("desk")

        stock("lamp"), stock("desk")
        async with cache.unit_of_work():
            task = asyncio.create_task(child())
            await ready.wait()
            assert contextvars.Context().run(gone, stock, "lamp") is False
        assert gone(stock, "lamp") and not gone(stock, "desk")
        go.set()
        await task
        assert gone(stock, "desk"), "it came after the end, and so was done at once"

    asyncio.run(main())


def test_threads_are_outside(cache, stock):
    stock("lamp")
    with cache.unit_of_work():
        thread = threading.Thread(target=stock.invalidate, args=("lamp",))
        thread.start()
        thread.join(10)
        assert contextvars.Context().run(gone, stock, "lamp")


def test_a_load_that_began_inside_the_block_of_another_stays_out(world, cache, source):
    gate, runs = Gate(), []

    @world.cached(cache(name="slow", tags=["sku:{sku}"]))
    def slow(sku):
        value = source[sku]
        runs.append(value)
        if len(runs) == 1:
            yield gate
        return value

    with cache.unit_of_work():
        cache.invalidate_tags("sku:lamp")
        first = world.start(slow, "lamp") if not world.is_async else _in_new_context(world, slow, "lamp")
        gate.is_reached()
        source["lamp"] = 2
    gate.open()
    assert first.result(10) == 3
    assert gone(slow, "lamp")
    assert world.call(slow, "lamp") == 2


def _in_new_context(world, function, *args):
    return contextvars.Context().run(world.start, function, *args)


def test_everything_is_done_though_one_fails(cache, stock):
    with pytest.raises(ZeroDivisionError), cache.unit_of_work() as unit:

        class Failing:
            name = "failing"

            def act(self):
                raise ZeroDivisionError

        contextvars.Context().run(stock, "lamp")
        unit.collect(Failing())
        stock.invalidate("lamp")
    assert gone(stock, "lamp")


def test_a_unit_is_bounded(cache, stock, monkeypatch):
    monkeypatch.setattr(_unit_of_work, "ROOM", 3)
    stock("lamp"), stock("desk")
    with cache.unit_of_work():
        for number in range(10):
            cache.invalidate_tags(f"tag:{number}")
    assert gone(stock, "lamp") and gone(stock, "desk"), "too much to remember clears the cache"


@pytest.mark.proves("unit_of_work.delay")
def test_a_delayed_unit_invalidates_twice(cache, clock, stock):
    stock("lamp")
    with cache.unit_of_work(delay="2s"):
        cache.invalidate_tags("sku:lamp")
        stock.invalidate("desk")
    assert gone(stock, "lamp")
    stock("lamp"), stock("desk")  # as read from a replica that lags
    clock.advance(1)
    _delayed.do_due()
    assert not gone(stock, "lamp")
    clock.advance(1.5)
    until(lambda: gone(stock, "lamp") and gone(stock, "desk"))


@pytest.mark.proves("invalidates.delay")
def test_a_delayed_writer(world, cache, clock, stock):
    @world.cached(cache.invalidates(tags=["sku:{sku}"], delay=2))
    def sell(sku):
        return sku

    stock("lamp")
    world.call(sell, "lamp")
    assert gone(stock, "lamp")
    stock("lamp")
    clock.advance(3)
    until(lambda: gone(stock, "lamp"))


def test_the_delay_needs_nobody(stock, cache, clock):
    with cache.unit_of_work(delay=1):
        stock.invalidate("lamp")
    stock("lamp")
    clock.advance(2)
    until(lambda: gone(stock, "lamp"))


def test_a_rollback_is_not_repeated(cache, clock, stock):
    stock("lamp")
    with pytest.raises(Rollback), cache.unit_of_work(delay=1):
        stock.invalidate("lamp")
        raise Rollback
    clock.advance(2)
    assert _delayed.do_due() is None
    assert not gone(stock, "lamp")


@pytest.mark.proves("unit_of_work.mark_before")
def test_nothing_is_stored_under_a_mark(world, cache, source):
    @world.cached(cache(name="stock", tags=["sku:{sku}"]))
    def stock(sku):
        return source[sku]

    world.call(stock, "lamp")
    with cache.unit_of_work(mark_before=True):
        cache.invalidate_tags("sku:lamp")
        assert contextvars.Context().run(gone, stock, "lamp"), "gone at once"
        call = world.start if not world.is_async else lambda *a: _in_new_context(world, *a)
        assert call(stock, "lamp").result(10) == 3
        assert call(stock, "desk").result(10) == 5
        assert contextvars.Context().run(gone, stock, "lamp"), "and not stored"
        assert not contextvars.Context().run(gone, stock, "desk"), "other tags are as ever"
        source["lamp"] = 2
    assert world.call(stock, "lamp") == 2
    assert not gone(stock, "lamp")


@pytest.mark.parametrize("raises", [False, True])
def test_a_mark_ends_with_the_block(cache, stock, raises):
    try:
        with cache.unit_of_work(mark_before=True):
            stock.invalidate_where(sku="lamp")
            cache.invalidate_tags("sku:lamp", "sku:lamp")
            stock.invalidate("desk")
            if raises:
                raise Rollback
    except Rollback:
        pass
    stock("lamp"), stock("desk")
    assert not gone(stock, "lamp") and not gone(stock, "desk")


def test_two_units_mark_one_tag(cache, stock):
    first, second = cache.unit_of_work(mark_before=True), cache.unit_of_work(mark_before=True)
    for unit in first, second:
        contextvars.Context().run(lambda unit=unit: (unit.__enter__(), cache.invalidate_tags("sku:lamp")))
    first.__exit__(None, None, None)
    stock("lamp")
    assert gone(stock, "lamp"), "the other one is not done"
    second.__exit__(None, None, None)
    stock("lamp")
    assert not gone(stock, "lamp")


@pytest.mark.proves("unit_of_work.timeout")
def test_a_mark_ends_by_its_time(cache, clock, stock, tmp_path):
    unit = cache.unit_of_work(mark_before=True, timeout=0.1 if "disk" in str(cache.describe()) else "5s")
    contextvars.Context().run(lambda: (unit.__enter__(), cache.invalidate_tags("sku:lamp")))
    stock("lamp")
    assert gone(stock, "lamp")
    clock.advance(6)

    def stored():
        stock("lamp")
        return not gone(stock, "lamp")

    until(stored)
    unit.__exit__(None, None, None)
    assert gone(stock, "lamp"), "the end of the block invalidates all the same"


def test_an_inner_mark_marks_the_outer_one(cache, stock):
    stock("lamp")
    with cache.unit_of_work():
        cache.invalidate_tags("sku:lamp")
        with cache.unit_of_work(mark_before=True):
            pass
        assert contextvars.Context().run(gone, stock, "lamp")


def test_a_store_that_cannot_keep_marks(tmp_path):
    cache = Cache(["memory://", f"file://{tmp_path}"], namespace="shop")
    with pytest.raises(Unsupported, match="(?s)mark.*hint: "), cache.unit_of_work(mark_before=True):
        pass
    with cache.unit_of_work():
        pass


@pytest.mark.parametrize(
    "given",
    [{"delay": 0}, {"timeout": None}, {"timeout": -1}, {"mark_before": "yes"}, {"delay": "soon"}],
    ids=str,
)
def test_bad_input(cache, given):
    with pytest.raises(ConfigError, match="hint: "):
        cache.unit_of_work(**given)


def test_a_unit_is_entered_once(cache):
    unit = cache.unit_of_work()
    with unit, pytest.raises(ConfigError, match="hint: "), unit:
        pass
    assert repr(unit) == "<unit of work: ended>"

"""`disabled()`: calls go past every cache, here and nowhere else, for as long as the block lasts."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading

import everwarm
import pytest
from everwarm import Cache, ConfigError, disabled


@pytest.fixture
def cache():
    return Cache()


def numbered(cache, **policy):
    """A function that gives another number at each computation."""
    numbers = iter(range(1_000))
    return cache(lambda key: next(numbers), **policy)


@pytest.mark.parametrize(
    "policy", [{}, {"key": lambda key: key}, {"key": "{key}"}], ids=["arguments", "key", "template"]
)
def test_nothing_is_read_and_nothing_stored(cache, policy):
    load = numbered(cache, **policy)
    assert (load(1), load(1)) == (0, 0)
    with disabled():
        assert (load(1), load(2), load(2)) == (1, 2, 3)
        assert load.peek(1) is None
        assert load.call(1).status == "bypass" and load.refresh(1) == 5
        load.prime("primed", 3)
    assert load(1) == 0 and load.peek(2) is None and load.peek(3) is None
    stats = load.stats()
    assert (stats.hits, stats.misses, stats.bypass, stats.computations) == (2, 1, 5, 1)
    assert stats.calls == 8


def test_a_function_first_used_inside_is_cached_after(cache):
    load = numbered(cache)
    with disabled():
        assert (load(1), load(1)) == (0, 1)
    assert (load(1), load(1)) == (2, 2)


def test_a_cache_made_inside_is_past_too():
    with disabled():
        load = numbered(Cache())
        assert (load(1), load(1)) == (0, 1)
    assert (load(1), load(1)) == (2, 2)


def test_object_verbs(cache):
    cache.set("a", 1)
    with disabled():
        cache.set("b", 1)
        assert cache.get("a") is None and cache.get("a", "default") == "default" and "a" not in cache
        with pytest.raises(ConfigError):
            cache.set("b", 1, ttl=-1)
    assert cache.get("a") == 1 and "b" not in cache
    assert cache.stats().bypass == 2


def test_invalidations_take_effect(cache):
    load = numbered(cache, tags=["t"])
    for let_go in (lambda: load.invalidate(1), load.clear, cache.clear, lambda: cache.invalidate_tags("t")):
        before = load(1)
        with disabled():
            let_go()
        assert load(1) == before + 1
    cache.set("a", 1)
    with disabled():
        assert cache.delete("a") is True
    assert "a" not in cache


def test_what_was_demoted_inside_is_not_served_after(cache):
    load = numbered(cache)
    assert load(1) == 0
    with disabled():
        load.mark_stale(1)
    assert load(1) == 1
    for demote in (lambda: cache.mark_stale("a"), lambda: cache.expire_at("a", 0)):
        cache.set("a", 1, ttl=60)
        with disabled():
            assert demote() is True
            assert cache.expire("a", 30) is cache.persist("a") is cache.add_tags("a", "t") is False
        assert "a" not in cache


@pytest.mark.parametrize("whole", [True, False], ids=["the process", "the block"])
def test_explain_says_that_a_call_goes_past(cache, whole):
    if whole:
        everwarm.configure(disabled=True)
        cache = Cache()
    load = numbered(cache)
    load(1)
    with contextlib.nullcontext() if whole else disabled():
        explanation, refused = load.explain(1), load.explain(lambda: 1)
        assert load.call(1).status == load.call(lambda: 1).status == explanation.status == "bypass"
        assert (explanation.reason, explanation.key) == ("disabled", load.key(1))
        assert str(explanation).startswith("past the cache: ")
        assert (refused.reason, refused.key) == ("disabled", "")
    if not whole:
        assert load.explain(1).status == "hit" and load.explain(lambda: 1).status == "refused"


def test_blocks_nest_and_end_on_errors(cache):
    load = numbered(cache)
    assert load(1) == 0
    with disabled():
        with pytest.raises(KeyError), disabled():
            raise KeyError
        assert load(1) == 1
    assert load(1) == 0


def test_other_threads_go_on(cache):
    load = numbered(cache)
    assert load(1) == 0
    found = []
    with disabled():
        thread = threading.Thread(target=lambda: found.append((load(1), load(2), load(2))))
        thread.start()
        thread.join()
        assert load(1) == 2
    assert found == [(0, 1, 1)]


def test_coroutine_functions_and_other_tasks():
    cache = Cache()
    numbers = iter(range(1_000))

    @cache
    async def load(key):
        return next(numbers)

    async def scenario():
        assert await load(1) == 0
        inside, outside = asyncio.Event(), asyncio.Event()

        async def other():
            await inside.wait()
            assert await load(1) == 0, "another task goes on"
            outside.set()

        task = asyncio.create_task(other())
        with disabled():
            inside.set()
            await outside.wait()
            assert await load(1) == 1
            assert (await load.call(1)).status == "bypass"
            assert await load.refresh(1) == 3
            child = asyncio.create_task(late(ended := asyncio.Event()))
            assert await asyncio.create_task(load(1)) == 4
            pending = load(5)
            waiting = load.call(5)
        ended.set()
        assert await child == 0, "a task that was started inside is free once the block has ended"
        assert await pending == 5 and (await waiting).status == "miss", "the verb asks when it is awaited"
        await task
        assert await load(1) == 0

    async def late(ended):
        await ended.wait()
        with disabled():
            pass
        return await load(1)

    asyncio.run(scenario())
    assert cache.stats().entries == 2


def test_as_a_decorator(cache):
    load = numbered(cache)
    cached = cache(lambda key: load(key))

    @disabled()
    def past(key, *, twice=False):
        """Its own."""
        return load(key)

    @disabled()
    async def later(key):
        await asyncio.sleep(0)
        return load(key)

    assert load(1) == 0
    assert (past(1), past(1, twice=True)) == (1, 2)
    assert (asyncio.run(later(1)), past.__doc__, later.__name__) == (3, "Its own.", "later")
    assert disabled()(cached)(1) == 4
    assert load(1) == 0


@pytest.mark.parametrize("wrong", [3, None, int], ids=repr)
def test_what_it_does_not_decorate(wrong):
    with pytest.raises(ConfigError, match="decorates functions\nhint: "):
        disabled()(wrong)


def test_generators_are_refused():
    def steps():
        yield

    async def later():
        yield

    for generator in (steps, later):
        with pytest.raises(ConfigError, match="generators(.|\n)*hint: "):
            disabled()(generator)


def test_a_block_is_entered_once():
    block = disabled()
    with block, pytest.raises(ConfigError, match="entered before\nhint: "):
        block.__enter__()
    with pytest.raises(ConfigError):
        block.__enter__()


def test_a_generator_that_is_closed_elsewhere_ends_its_own_block_only(cache):
    load = numbered(cache)
    assert load(1) == 0

    def steps():
        with disabled():
            yield

    context = contextvars.copy_context()
    running = steps()
    context.run(next, running)
    with disabled():
        running.close()
        assert load(1) == 1, "this block goes on"
        assert context.run(load, 1) == 0, "that one has ended"
    assert load(1) == 0


def test_hits_are_hits_again_at_once(cache):
    load = numbered(cache)
    load(1)
    for _ in range(3):
        with disabled():
            load(1)
        assert load(1) == 0
    assert everwarm._disabled.is_inside() is False


def test_the_context_is_asked_only_while_a_block_lasts(cache, monkeypatch):
    asked = []
    monkeypatch.setattr(everwarm._disabled, "is_inside", lambda: asked.append(1))
    load = numbered(cache)
    for key in (1, 1):
        load(key)
    assert asked == []
    block = disabled()
    with block:
        load(1)
        cache.get("a")
    assert len(asked) == 2
    load(1), load(2), cache.get("a")
    assert len(asked) == 2

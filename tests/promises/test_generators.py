"""What a generator yields is recorded as it is consumed, and replayed; nobody who asks for it hangs."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import pickle
import threading

import pytest
from everwarm import Recursion, Unsupported
from everwarm.testing import assert_computed
from worlds import PATIENCE, Gate, Loops, adds_up, crowd, until


def recorded(world, decorator):
    """Decorates a body as a generator function of the world: it yields its items and passes its gates."""

    def decorate(body):
        if world.is_async:

            async def generator(key):
                for step in body(key):
                    if isinstance(step, Gate):
                        await step.pass_as_task()
                    else:
                        yield step

        else:

            def generator(key):
                for step in body(key):
                    if isinstance(step, Gate):
                        step.pass_as_thread()
                    else:
                        yield step

        generator.__name__ = body.__name__
        return decorator(generator)

    return decorate


def listing(function):
    """A function of the world that consumes all that a call yields; it counts as the function itself."""

    def listed(*args):
        stream = function(*args)
        if hasattr(stream, "__anext__"):
            return _listed_later(stream)
        return list(stream)

    listed.stats = function.stats
    return listed


async def _listed_later(stream):
    return [item async for item in stream]


def whole(world, function, *args):
    """All that a call yields."""
    return world.call(listing(function), *args)


class Consumer:
    """Takes a call's items one by one, as one thread or one task does: always in one context."""

    def __init__(self, world, stream):
        self.stream = stream
        self.loop = world.loops[0] if world.is_async else None
        self.context = contextvars.copy_context()

    def _run(self, step):
        if self.loop is None:
            return self.context.run(step)
        done = asyncio.run_coroutine_threadsafe(_awaited(step), self.loop)
        return done.result(PATIENCE)

    def next(self):
        return self._run(lambda: self.stream.__anext__() if self.loop else next(self.stream))

    def close(self):
        return self._run(lambda: self.stream.aclose() if self.loop else self.stream.close())


async def _awaited(step):
    return await step()


def test_nothing_runs_until_the_first_item_and_a_hit_is_a_fresh_iterator(world, cache):
    runs = []

    @recorded(world, cache)
    def letters(key):
        runs.append(key)
        yield from ([key], [key])

    before = letters(1)
    assert runs == [] and letters.stats().calls == 0
    del before
    first = whole(world, letters, 1)
    second = whole(world, letters, 1)
    assert first == second == [[1], [1]] and runs == [1]
    assert all(one is other for one, other in zip(first, second, strict=True)), "the same items"
    assert whole(world, letters, 2) == [[2], [2]]
    assert adds_up(letters, 3).hits == 1


def test_what_is_returned_is_replayed(cache):
    @cache
    def letters():
        yield "a"
        return "end"

    def delegating():
        found.append((yield from letters()))

    found = []
    assert list(delegating()) == list(delegating()) == ["a"]
    assert found == ["end", "end"] and letters.stats().computations == 1


def test_followers_wait_until_the_leader_has_all(world, cache):
    gate, runs = Gate(), []

    @recorded(world, cache)
    def letters(key):
        runs.append(key)
        yield 1
        yield gate
        yield 2

    started = crowd(world, listing(letters), 5, 1)
    gate.is_reached()
    gate.open()
    assert [future.result(PATIENCE) for future in started] == [[1, 2]] * 5
    assert runs == [1] and adds_up(letters, 5).followers == 4


def test_an_error_reaches_the_consumer_at_its_place_and_all_followers(world, cache):
    gate, taken = Gate(), []

    @recorded(world, cache)
    def letters(key):
        yield 1
        yield gate
        raise ValueError("no more")

    leader = world.start(_taking(world, letters, taken))
    gate.is_reached()
    followers = crowd(world, listing(letters), 3, 1)
    gate.open()
    for future in (leader, *followers):
        assert str(future.exception(PATIENCE)) == "no more"
    assert taken == [1] and letters.peek(1) is None
    assert adds_up(letters, 4).computations == 1


def _taking(world, function, taken):
    """Consumes a call and notes what it has taken so far."""
    if not world.is_async:
        return lambda: [taken.append(item) for item in function(1)]

    async def take():
        async for item in function(1):
            taken.append(item)

    return take


@pytest.mark.parametrize("leaves", ["closes", "drops"])
def test_a_consumer_that_leaves_early_hands_over(world, cache, leaves):
    closed = []

    @recorded(world, cache)
    def letters(key):
        try:
            yield 1
            yield 2
        finally:
            closed.append(key)

    consumer = Consumer(world, letters(1))
    assert consumer.next() == 1
    followers = crowd(world, listing(letters), 3, 1) if leaves == "closes" else []
    if leaves == "closes":
        consumer.close()
    else:
        del consumer
        gc.collect()
    until(lambda: closed == [1] or len(closed) == 2)
    assert [future.result(PATIENCE) for future in followers] == [[1, 2]] * len(followers)
    assert whole(world, letters, 1) == [1, 2]
    assert letters.stats().computations == 2


@pytest.mark.proves("Policy.max_items")
def test_beyond_max_items_all_stream_on_and_nothing_is_stored(world, cache):
    gate = Gate()

    @recorded(world, cache(max_items=2))
    def letters(key):
        yield from range(2)
        yield gate
        yield from range(2, key)

    leader = world.start(listing(letters), 5)
    gate.is_reached()
    followers = crowd(world, listing(letters), 3, 5)
    gate.open()
    for future in (leader, *followers):
        assert future.result(PATIENCE) == [0, 1, 2, 3, 4]
    assert letters.peek(5) is None
    assert adds_up(letters, 4).refused == 1
    assert whole(world, letters, 2) == [0, 1] and letters.peek(2).value == (0, 1), "no more than max_items"


def test_a_context_that_holds_a_leader_never_waits_for_it(world, cache):
    @recorded(world, cache)
    def letters(key):
        yield from range(key)

    def nested():
        return [(one, list(letters(2))) for one in letters(2)]

    async def nested_later():
        found = []
        async for one in letters(2):
            # Also in tasks of the consumer's: it may be waiting for them.
            inner = asyncio.create_task(_listed_later(letters(2)))
            found.append((one, await asyncio.wait_for(inner, 5)))
        return found

    future = world.run(nested_later if world.is_async else nested)
    assert future.result(PATIENCE / 4) == [(0, [0, 1]), (1, [0, 1])]
    assert adds_up(letters, 3).cycles == 2
    assert letters.peek(2).value == (0, 1), "the outer one is stored"
    assert whole(world, letters, 2) == [0, 1] and letters.stats().hits == 1


def test_two_contexts_that_hold_what_the_other_asks_for_never_wait_for_each_other(world, cache):
    meet = threading.Barrier(2)

    @recorded(world, cache)
    def letters(key):
        yield key
        yield key

    def crossed(mine, others):
        def consume():
            return [(item, met() or list(letters(others))) for item in letters(mine)]

        def met(times=[]):  # noqa: B006 (its memory)
            times or (times.append(1), meet.wait(PATIENCE))

        return consume

    def crossed_later(mine, others):
        async def consume():
            found = []
            async for item in letters(mine):
                arrived.append(mine)
                while len(set(arrived)) < 2:
                    await asyncio.sleep(0)
                found.append((item, await _listed_later(letters(others))))
            return found

        return consume

    arrived = []
    pairs = ((1, 2), (2, 1))
    started = [world.run(crossed_later(*pair) if world.is_async else crossed(*pair)) for pair in pairs]
    for (mine, others), future in zip(pairs, started, strict=True):
        assert future.result(PATIENCE / 4) == [(mine, [others] * 2)] * 2


def test_a_paused_leader_is_waited_for_by_others_and_by_nobody_once_it_has_ended(world, cache):
    @recorded(world, cache)
    def letters(key):
        yield 1
        yield 2

    consumer = Consumer(world, letters(1))
    assert consumer.next() == 1
    followers = crowd(world, listing(letters), 2, 1)
    assert consumer.next() == 2
    with pytest.raises((StopIteration, StopAsyncIteration, RuntimeError)):
        consumer.next()
    assert [future.result(PATIENCE) for future in followers] == [[1, 2]] * 2
    assert letters.stats().computations == 1


def test_a_generator_that_asks_for_its_own_items_is_told(cache):
    @cache
    def letters(key):
        yield from letters(key)

    with pytest.raises(Recursion):
        list(letters(1))


def test_followers_take_over_from_a_leader_whose_loop_is_closed(cache):
    world = Loops(1)

    @recorded(world, cache)
    def letters(key):
        yield 1
        yield 2

    consumer = Consumer(world, letters(1))
    assert consumer.next() == 1
    world.close()
    assert asyncio.run(asyncio.wait_for(_listed_later(letters(1)), PATIENCE / 2)) == [1, 2]
    assert letters.peek(1).value == (1, 2)


def test_an_invalidation_while_it_runs_keeps_the_items_out(world, cache):
    @recorded(world, cache)
    def letters(key):
        letters.invalidate(key)
        yield 1

    assert whole(world, letters, 1) == [1]
    assert letters.peek(1) is None


def test_the_policy_sees_the_tuple_of_items(world, cache, clock):
    @recorded(
        world,
        cache(
            ttl=5,
            when=lambda items: len(items) > 1,
            tags=["key:{key}"],
            tags_from_result=lambda items: [f"item:{item}" for item in items],
            key=lambda key: abs(key),
        ),
    )
    def letters(key):
        yield from range(abs(key))

    assert whole(world, letters, 1) == [0] and letters.peek(1) is None
    assert whole(world, letters, 2) == whole(world, letters, -2) == [0, 1]
    assert letters.stats().computations == 2 and letters.peek(2).ttl == 5
    assert sorted(letters.peek(2).tags) == ["item:0", "item:1", "key:2"]
    cache.invalidate_tags("item:1")
    assert letters.peek(2) is None
    assert whole(world, letters, 2) == [0, 1]
    clock.advance(5)
    assert letters.peek(2) is None


def test_the_verbs(world, cache):
    @recorded(world, cache)
    def letters(key):
        yield from range(key)

    assert letters.peek(2) is None
    described = world.call(letters.call, 2)
    assert (described.status, described.value, described.ttl) == ("miss", (0, 1), None)
    assert isinstance(described.value, tuple)
    assert world.call(letters.call, 2).status == "hit"
    letters.prime((item for item in "ab"), 2)
    assert whole(world, letters, 2) == ["a", "b"]
    asyncio.run(letters.aprime((item for item in "cd"), 2))
    assert whole(world, letters, 2) == ["c", "d"]
    assert world.call(listing(_verb(letters, "refresh")), 2) == [0, 1]
    assert letters.peek(2).value == (0, 1) and letters.stats().bypass == 1
    assert world.call(listing(_verb(letters, "uncached")), 3) == [0, 1, 2] and letters.peek(3) is None
    letters.clear()
    assert letters.peek(2) is None and letters.key(2) != letters.key(3)


def _verb(owner, name):
    """A verb, or a method, as a function of its own."""
    verb = getattr(owner, name)

    def called(*args):
        return verb(*args)

    called.stats = None
    return called


def test_methods(world, cache):
    class Alphabet:
        def letters(self, count):
            yield from range(count)

        async def letters_later(self, count):
            for letter in range(count):
                yield letter

        letters = cache(letters_later if world.is_async else letters)

    def letters_of(instance):
        return _verb(instance, "letters")

    one, other = Alphabet(), Alphabet()
    with assert_computed(Alphabet.letters, 1):
        for _ in range(2):
            assert whole(world, letters_of(one), 2) == [0, 1]
    with assert_computed(Alphabet.letters, 1):
        assert whole(world, letters_of(other), 2) == [0, 1]
    assert one.letters.peek(2).value == (0, 1)


def test_nothing_can_be_sent_or_thrown_into_it(world, cache):
    @recorded(world, cache)
    def letters(key):
        yield from range(key)

    for _ in ("recorded", "replayed"):
        for way in ("send", "throw"):
            stream = letters(2)
            consumer = Consumer(world, stream)
            assert consumer.next() == 0
            one_way = getattr(stream, f"a{way}" if world.is_async else way)
            with pytest.raises(Unsupported, match="hint: only iterate"):
                consumer._run(lambda one_way=one_way: one_way(ValueError()))
        assert whole(world, letters, 2) == [0, 1]


def test_it_is_what_it_was_to_inspect(cache):
    @cache
    def letters(key: int):
        yield key

    @cache
    async def letters_later(key: int):
        yield key

    assert inspect.isgeneratorfunction(letters) and not inspect.isasyncgenfunction(letters)
    assert inspect.isasyncgenfunction(letters_later) and not inspect.isgeneratorfunction(letters_later)
    assert list(inspect.signature(letters).parameters) == ["key"] and letters.__name__ == "letters"
    assert inspect.isgenerator(letters(1)) and inspect.isasyncgen(letters_later(1))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        letters()


def test_items_are_pickled_with_what_was_returned(cache):
    @cache
    def letters():
        yield 1
        return "end"

    assert list(letters()) == [1]
    copy = pickle.loads(pickle.dumps(letters.peek().value))
    assert copy == (1,) and copy.returned == "end"

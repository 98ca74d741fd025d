"""``lru_cache``: keys by ``==``, arguments let go of with their entries, and what ``functools`` has not."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import pickle
import threading
import weakref

import pytest
from everwarm import Recursion, Unsupported, lru_cache
from everwarm.testing import assert_computed


class Number:
    """A value with a hash and an equality of its own, which are counted."""

    asked = 0

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        Number.asked += 1
        return hash(self.value)

    def __eq__(self, other):
        return isinstance(other, Number) and self.value == other.value


CALLS = [
    ((1,), {}),
    ((1.0,), {}),
    ((True,), {}),
    (("a",), {}),
    ((b"a",), {}),
    ((1, 2), {}),
    (((1, 2),), {}),
    ((1.0, 2), {}),
    ((), {"x": 1}),
    ((), {"x": 1.0}),
    ((), {"x": 1, "y": 2}),
    ((), {"y": 2, "x": 1}),
    ((1,), {"y": 2}),
    ((1, "y", 2), {}),
    ((), {}),
    ((None,), {}),
    ((Number(1),), {}),
    ((Number(1),), {"y": Number(2)}),
    ((frozenset({1, 2}),), {}),
    ((2**70,), {}),
    ((-1,), {}),
    ((-2,), {}),
]


@pytest.mark.proves("lru_cache.typed")
@pytest.mark.parametrize("typed", [False, True])
def test_calls_are_told_apart_as_there(typed):
    def body(*args, **kwargs):
        return len(numbers)

    ours, theirs = lru_cache(None, typed)(body), functools.lru_cache(None, typed)(body)
    numbers = []
    for args, kwargs in CALLS * 2:
        numbers.append(None)
        answers = []
        for function in (ours, theirs):
            answers.append(function(*args, **kwargs))
        assert answers[0] == answers[1], (args, kwargs)
    assert tuple(ours.cache_info()) == tuple(theirs.cache_info())
    assert ours.cache_parameters() == theirs.cache_parameters()


def test_what_has_no_hash_is_refused_as_there():
    @lru_cache
    def first(values):
        return values[0]

    for wrong in ([1], {1: 2}, {1}, (1, [2])):
        with pytest.raises(TypeError, match="unhashable type"):
            first(wrong)
    assert first.cache_info().misses == 0


def test_errors_of_hash_and_of_equality_come_out():
    class Hostile:
        def __init__(self, failing):
            self.failing = failing

        def __hash__(self):
            return 1 if self.failing != "hash" else 1 // 0

        def __eq__(self, other):
            raise LookupError("eq")

    @lru_cache
    def same(value):
        return value

    with pytest.raises(ZeroDivisionError):
        same(Hostile("hash"))
    kept = Hostile("eq")
    assert same(kept) is same(kept) is kept
    with pytest.raises(LookupError):
        same(Hostile("eq"))


def test_each_call_hashes_once():
    @lru_cache(maxsize=2)
    def value_of(number):
        return number.value

    for value in (1, 1, 2, 3, 1):
        before = Number.asked
        assert value_of(Number(value)) == value
        assert Number.asked == before + 1


@pytest.mark.proves("lru_cache.maxsize")
def test_arguments_go_with_their_entries():
    @lru_cache(maxsize=2)
    def value_of(number):
        return number.value

    numbers = [Number(value) for value in range(5)]
    alive = [weakref.ref(number) for number in numbers]
    for number in numbers:
        value_of(number)
    del numbers, number
    assert sum(there() is not None for there in alive) == 2 == value_of.cache_info().currsize
    value_of.cache_clear()
    assert [there() for there in alive] == [None] * 5
    assert tuple(value_of.cache_info()) == (0, 0, 2, 0)


def test_arguments_go_where_nothing_is_kept():
    @lru_cache
    def failing(number):
        raise ValueError(number.value)

    number = Number(1)
    alive = weakref.ref(number)
    with pytest.raises(ValueError):
        failing(number)
    del number
    gc.collect()
    assert alive() is None


def test_a_circle_through_the_arguments_is_collected():
    @lru_cache
    def same(number):
        return number

    number = Number(1)
    number.function = same
    same(number)
    alive = weakref.ref(number)
    del number, same
    gc.collect()
    assert alive() is None


def test_verbs_say_that_nothing_is_kept():
    square = lru_cache(0)(lambda x: x * x)
    for verb in (square.peek, square.key, square.explain, square.invalidate, square.mark_stale):
        with pytest.raises(Unsupported, match="keeps no entries, since its maxsize is 0\nhint: "):
            verb(2)
    with pytest.raises(Unsupported, match="keeps no entries"):
        square.prime(4, 2)
    assert (square(2), square.refresh(2), square.using(skip=True)(2)) == (4, 4, 4)
    assert square.call(2).status == "bypass"

    @lru_cache(maxsize=0)
    async def later(x):
        return x * x

    async def main():
        return await later(2), await later.refresh(2), (await later.call(2)).status

    assert asyncio.run(main()) == (4, 4, "bypass")


@pytest.mark.parametrize("maxsize", [0, -3])
def test_nothing_is_kept_without_room(maxsize):
    @lru_cache(maxsize=maxsize)
    def first(values):
        return values[0]

    assert first([1]) == first([1]) == 1
    assert tuple(first.cache_info()) == (0, 2, 0, 0)


@pytest.mark.parametrize("wrong", ["3", 2.5, object()], ids=repr)
def test_maxsize_is_a_number(wrong):
    with pytest.raises(TypeError, match="Expected first argument to be an integer, a callable, or None"):
        lru_cache(wrong)


def test_classes_partials_and_objects_are_decorated():
    class Point:
        def __init__(self, x):
            self.x = x

        def __call__(self, y):
            return self.x, y, object()

    made = lru_cache(Point)
    assert made(1) is made(1) and made(1) is not made(2) and made.__wrapped__ is Point
    called = lru_cache(Point(1))
    assert called(2) is called(2)
    part = lru_cache(functools.partial(Point(1), y=2))
    assert part() is part()


@lru_cache
def at_module_level(x):
    return object()


def test_copies_and_pickles_are_the_function_itself():
    assert copy.copy(at_module_level) is copy.deepcopy(at_module_level) is at_module_level
    assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level


def test_methods_bind():
    class Shop:
        @lru_cache(maxsize=8)
        def price(self, sku):
            return object()

    one, other = Shop(), Shop()
    assert one.price("a") is one.price("a") is Shop.price(one, "a")
    assert one.price("a") is not other.price("a")
    assert one.price.cache_info() == Shop.price.cache_info() == (3, 2, 8, 2)


def test_threads_that_ask_at_once_compute_once():
    started, computed = threading.Barrier(8), []

    @lru_cache
    def load(number):
        computed.append(number.value)
        return object()

    def ask():
        started.wait()
        answers.append(load(Number(1)))

    answers = []
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [1] and len(set(map(id, answers))) == 1 and len(answers) == 8


def test_coroutine_functions_compute_once_and_can_be_awaited_again():
    @lru_cache
    async def load(number):
        await asyncio.sleep(0)
        return object()

    async def main():
        answers = await asyncio.gather(*(load(Number(1)) for _ in range(5)))
        return {id(answer) for answer in answers} | {id(await load(Number(1)))}

    with assert_computed(load, 1):
        assert len(asyncio.run(main())) == 1
    assert load.cache_info().hits >= 1


def test_the_verbs_take_the_same_arguments():
    @lru_cache
    def value_of(number, *, more=0):
        return number.value + more

    assert value_of.peek(Number(1)) is None
    assert value_of(Number(1)) == 1 and value_of.peek(Number(1)).value == 1
    value_of.prime(7, Number(1))
    assert value_of(Number(1)) == 7 and value_of.call(Number(1)).status == "hit"
    assert value_of.refresh(Number(1)) == 1
    value_of.invalidate(Number(1))
    assert value_of.peek(Number(1)) is None
    assert value_of.key(Number(1)) != value_of.key(Number(2)), "a number while it is asked for"


def test_a_call_of_its_own_key_is_told():
    @lru_cache
    def load(number):
        return load(number)

    with pytest.raises(Recursion):
        load(Number(1))


def test_equality_may_call_the_function():
    class Asking(Number):
        def __eq__(self, other):
            if not asked:
                asked.append(self)
                assert value_of(Number(5)) == 5
            return super().__eq__(other)

        __hash__ = Number.__hash__

    asked = []

    @lru_cache(maxsize=2)
    def value_of(number):
        return number.value

    assert [value_of(Asking(1)), value_of(Asking(1))] == [1, 1] and asked
    assert value_of.cache_info().hits == 1

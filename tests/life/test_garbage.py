"""P4: what only the cache's own circles hold is collected, and collections at any moment do no harm."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import tracemalloc
import weakref

import pytest
from everwarm import Cache

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("alone")]

# RELIABILITY P4 at the figure of CI.
ROUNDS = 10_000


class Value:
    """Something that can be watched and can hold something."""

    def __init__(self, holds=None):
        self.holds = holds


@pytest.fixture(autouse=True)
def settled():
    """Nothing left over from elsewhere is collected in the middle of a test."""
    gc.collect()
    yield
    gc.collect()


@pytest.fixture(params=["sync", "async"])
def world(request):
    """Makes functions of a kind, and calls them."""
    if request.param == "sync":
        return lambda body: body, lambda call: call()

    def coroutine(body):
        async def function(*args, **kwargs):
            return body(*args, **kwargs)

        return function

    def answer(call):
        async def main():
            return await call()

        return asyncio.run(main())

    return coroutine, answer


def test_a_value_that_holds_its_function_is_collected(world):
    kind, answer = world
    made = Cache()(kind(lambda x: Value()))
    value = answer(lambda made=made: made(1))
    value.holds = made
    gone = weakref.ref(value), weakref.ref(made), weakref.ref(made._cache)
    del value, made
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


def test_a_value_that_holds_its_cache_is_collected():
    cache = Cache()
    value = Value(cache)
    cache.set("key", value)
    gone = weakref.ref(value), weakref.ref(cache)
    del value, cache
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_a_value_that_holds_its_instance_keeps_it_only_as_long_as_the_cache_does():
    cache = Cache()

    class Model:
        @cache
        def method(self, x):
            return Value(self)

    model = Model()
    model.method(1)
    gone = weakref.ref(model)
    del model
    gc.collect()
    # The table holds the value and the value the instance, as a plain dictionary would.
    assert gone() is not None
    cache.clear()
    gc.collect()
    assert gone() is None


def test_a_circle_of_class_method_cache_and_values_is_collected():
    def build():
        cache = Cache()

        class Model:
            @cache
            def method(self, x):
                return Value(self)

        model = Model()
        model.method(1)
        return weakref.ref(Model), weakref.ref(model), weakref.ref(cache)

    gone = build()
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


def test_an_error_and_its_traceback_are_kept_by_nobody(world):
    kind, answer = world
    cache = Cache()

    class Failure(Exception):
        pass

    def fails(x):
        local = Value()
        nonlocal watched
        watched = weakref.ref(local)
        raise Failure

    watched = None
    function = cache(kind(fails))
    with pytest.raises(Failure):
        answer(lambda: function(1))
    # `raises` keeps its own until it is collected.
    gc.collect()
    assert watched is not None and watched() is None


def test_an_error_that_followers_shared_is_kept_by_nobody():
    cache = Cache()
    go = threading.Event()
    watched = []

    class Failure(Exception):
        pass

    @cache
    def fails(x):
        go.wait()
        error = Failure()
        watched.append(weakref.ref(error))
        raise error

    def call():
        try:
            fails(1)
        except Failure as error:
            watched.append(weakref.ref(error))

    threads = [threading.Thread(target=call) for _ in range(5)]
    for thread in threads:
        thread.start()
    while fails.stats().followers < 4:
        pass
    go.set()
    for thread in threads:
        thread.join()
    assert len(watched) == 6
    gc.collect()
    assert [reference() for reference in watched] == [None] * 6


def test_a_value_that_is_not_stored_is_kept_by_nobody(world):
    kind, answer = world
    function = Cache()(kind(lambda x: Value()), when=lambda value: False)
    watched = weakref.ref(answer(lambda: function(1)))
    assert watched() is None


def test_a_value_that_leaves_is_kept_by_nobody(world):
    kind, answer = world
    cache = Cache()
    function = cache(kind(lambda x: Value()), tags=["all"])
    for leave in (
        lambda: function.invalidate(1),
        function.clear,
        cache.clear,
        lambda: function.prime(2, 1),
        lambda: answer(lambda: function.refresh(1)),
    ):
        watched = weakref.ref(answer(lambda: function(1)))
        assert isinstance(watched(), Value)
        leave()
        assert watched() is None
        function.clear()


def test_entries_go_with_their_function(world):
    kind, answer = world
    cache = Cache()
    function = cache(kind(lambda x: Value()))
    watched = weakref.ref(answer(lambda function=function: function(1)))
    assert cache.stats().entries == 1
    del function
    gc.collect()
    assert watched() is None
    assert cache.stats().entries == 0


def test_a_call_that_nobody_ends_is_collected():
    cache = Cache()

    class Model:
        @cache
        async def method(self, x):
            await asyncio.get_running_loop().create_future()

    async def begin(model):
        model.tasks = [asyncio.ensure_future(model.method(1)) for _ in range(3)]
        while Model.method.stats().followers < 2:
            await asyncio.sleep(0)

    model = Model()
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(begin(model))
    loop.close()
    watched = weakref.ref(model)
    del model, loop
    gc.collect()
    assert watched() is None


def test_instances_are_held_weakly():
    cache = Cache()

    class Model:
        @cache
        def method(self, x):
            return [x]

        @cache
        async def later(self, x):
            return [x]

    models = [Model() for _ in range(100)]
    for model in models:
        for x in range(5):
            model.method(x)
            asyncio.run(model.later(x))
    assert cache.stats().entries == 1000
    del models, model
    gc.collect()
    assert cache.stats().entries == 0


@pytest.mark.parametrize("by_name", [False, True], ids=["bound", "self by name"])
def test_an_address_used_again_gives_no_other_instances_value(by_name):
    cache = Cache()

    class Model:
        def __init__(self, number):
            self.number = number

        @cache
        def method(self):
            return self.number

    method = Model.method
    addresses = set()
    for number in range(ROUNDS):
        model = Model(number)
        addresses.add(id(model))
        assert (method(self=model) if by_name else model.method()) == number
        assert (method(self=model) if by_name else model.method()) == number
    assert len(addresses) < ROUNDS
    del model
    assert cache.stats().entries == 0


def test_an_address_used_again_gives_no_primed_value():
    cache = Cache()

    class Model:
        @cache
        def method(self):
            return "computed"

    for _ in range(100):
        model = Model()
        model.method.prime("primed")
        assert model.method() == "primed"
        del model
    for _ in range(100):
        assert Model().method() == "computed"


@pytest.mark.parametrize("slot", ["compute", "when", "tags", "tags_from_result", "key"])
def test_a_collection_inside_a_callable_of_the_user(slot, world):
    kind, answer = world

    def collecting(result):
        def function(*args, **kwargs):
            circle = Value()
            circle.holds = circle
            del circle
            gc.collect()
            return result

        return function

    keyword = {
        "compute": {},
        "when": {"when": collecting(True)},
        "tags": {"tags": collecting(["tag"])},
        "tags_from_result": {"tags_from_result": collecting(["tag"])},
        "key": {"key": collecting(3)},
    }[slot]
    body = collecting("value") if slot == "compute" else lambda x: "value"
    function = Cache()(kind(body), **keyword)
    for x in range(20):
        assert answer(lambda x=x: function(x % 5)) == "value"


def test_a_collection_inside_the_end_of_a_value_and_a_weak_reference():
    cache = Cache(max_entries=4)
    ended = []

    class Ending:
        def __del__(self):
            gc.collect()
            ended.append("end")

    def callback(reference):
        gc.collect()
        ended.append("callback")

    references = []

    @cache
    def function(x):
        value = Ending()
        references.append(weakref.ref(value, callback))
        return value

    for x in range(30):
        function(x)
    function.clear()
    assert ended.count("end") == ended.count("callback") == 30


def test_collections_at_every_allocation():
    threshold = gc.get_threshold()
    cache = Cache(max_entries=64)

    class Model:
        @cache
        def method(self, x):
            return Value(self)

    @cache(tags=lambda x: [f"tag:{x % 3}"], ttl=60)
    def function(x):
        return Value(function)

    @cache
    async def later(x):
        await asyncio.sleep(0)
        return Value(later)

    async def tasks():
        await asyncio.gather(*(later(x % 4) for x in range(20)))

    def hammer():
        for x in range(150):
            assert type(function(x % 40)) is Value
            assert type(Model().method(x)) is Value
            if x % 10 == 0:
                cache.invalidate_tags("tag:1")
                function.invalidate(x % 40)

    gc.set_threshold(1, 1, 1)
    try:
        threads = [threading.Thread(target=hammer) for _ in range(3)]
        for thread in threads:
            thread.start()
        asyncio.run(tasks())
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*threshold)
    cache.clear()
    assert cache.stats().entries == 0


def _hits(function):
    for _ in range(ROUNDS):
        function(1)


def _misses(function):
    for x in range(ROUNDS):
        function(x)
    function.clear()


def _invalidations(function):
    for _ in range(ROUNDS):
        function(1)
        function.invalidate(1)


def _refreshes(function):
    for _ in range(ROUNDS):
        function.refresh(1)
        function.prime([1], 1)
        function.peek(1)
        function.call(1)


def _failures(function):
    for _ in range(ROUNDS):
        try:
            function(-1)
        except LookupError:
            pass


def _functions(function):
    for x in range(ROUNDS):
        made = function._cache(lambda x: [x])
        made(x)


def _caches(function):
    for x in range(ROUNDS):
        made = Cache(max_entries=8)
        made(lambda x: [x])(x)
        made.set("key", x, ttl=60, tags=["tag"])


def _tags(function):
    for x in range(ROUNDS):
        function._cache.set(x, x, tags=[f"tag:{x}"])
        function._cache.invalidate_tags(f"tag:{x}")
    function._cache.clear()


@pytest.mark.parametrize(
    "work", [_hits, _misses, _invalidations, _refreshes, _failures, _functions, _caches, _tags]
)
def test_nothing_is_left(work):
    cache = Cache(max_entries=100)

    @cache
    def function(x):
        if x < 0:
            raise LookupError(x)
        return [x]

    function(1)
    argument, value = 1, function(1)
    work(function)
    function(1)
    gc.collect()
    tracemalloc.start()
    try:
        references = sys.getrefcount(function), sys.getrefcount(cache), sys.getrefcount(list)
        before = tracemalloc.get_traced_memory()[0]
        work(function)
        function(1)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    now = sys.getrefcount(function), sys.getrefcount(cache), sys.getrefcount(list)
    assert now == references
    del argument, value


def test_awaited_calls_leave_nothing():
    cache = Cache(max_entries=100)

    @cache
    async def function(x):
        return [x]

    async def work():
        for x in range(ROUNDS):
            await function(1)
            await function(x)
            await asyncio.gather(function(-x), function(-x))
            function(x).close()
        function.clear()

    async def main():
        await work()
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            await work()
            gc.collect()
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()

    assert asyncio.run(main()) < 20_000


def test_instances_of_many_classes_are_all_held_weakly():
    """I1: a method that more classes inherit than are remembered keys none of their instances for good."""
    shop = Cache()

    class Base:
        def __init__(self, number):
            self.number = number

        @shop
        def told(self):
            return self.number

    classes = [type(f"Kind{n}", (Base,), {}) for n in range(12)]
    for number in range(1_200):
        instance = classes[number % len(classes)](number)
        assert instance.told() == number
        del instance
    assert Base.told.stats().entries == 0

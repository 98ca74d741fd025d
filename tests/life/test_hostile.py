"""P5: the user's code, run where nobody expects it, may enter the cache again, raise, sleep or let all go."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref

import pytest
from everwarm import Cache, Recursion

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("alone")]

# RELIABILITY P5 at the figure of CI, shared out over the acts.
ROUNDS = 700


class Shop:
    """A small cache with what hostile code may do to it."""

    def __init__(self):
        self.cache = Cache(max_entries=16)
        self.count = 0
        self.acts = 0

        @self.cache(tags=["tag"])
        def function(x):
            return self.value(x)

        self.function = function
        self.act = lambda: None
        # Ends run while others' do; so deep and no deeper.
        self.depth = 0

    def value(self, x):
        return [x]

    def again(self):
        """Runs the act, unless it runs already on account of itself."""
        if self.depth:
            return
        self.depth += 1
        try:
            self.acts += 1
            self.act()
        finally:
            self.depth -= 1


def hits(shop):
    shop.function(1)


def misses(shop):
    shop.count += 1
    shop.function(1000 + shop.count)


def invalidates(shop):
    shop.function.invalidate(1)


def clears(shop):
    shop.cache.clear()


def clears_the_function(shop):
    shop.function.clear()


def invalidates_tags(shop):
    shop.cache.invalidate_tags("tag")


def decorates(shop):
    made = shop.cache(lambda x: [x])
    assert made(1) == [1]


def sets(shop):
    shop.cache.set("key", object(), ttl=60, tags=["tag"])
    shop.cache.delete("key")


def primes(shop):
    shop.function.prime(object(), 1)


def refreshes(shop):
    shop.function.refresh(2)


def peeks(shop):
    shop.function.peek(1)
    shop.cache.stats()
    shop.cache.sweep()


def collects(shop):
    gc.collect(0)


def raises(shop):
    raise LookupError("out of the user's code")


def sleeps(shop):
    time.sleep(0)


def drops(shop):
    shop.function = shop.cache(lambda x: [x], tags=["tag"])


ACTS = [
    hits,
    misses,
    invalidates,
    clears,
    clears_the_function,
    invalidates_tags,
    decorates,
    sets,
    primes,
    refreshes,
    peeks,
    collects,
    raises,
    sleeps,
    drops,
]


@pytest.fixture(params=ACTS, ids=lambda act: act.__name__)
def shop(request):
    shop = Shop()
    shop.act = lambda: request.param(shop)
    shop.expects_errors = request.param is raises
    return shop


def check(shop):
    """Whatever was done to it, the cache is what it is said to be."""
    shop.act = lambda: None
    shop.cache.clear()
    assert shop.cache.stats().entries == 0
    fresh = shop.cache(lambda x: [x])
    assert [fresh(x) for x in range(50)] == [[x] for x in range(50)]
    assert shop.cache.stats().entries <= 16
    assert shop.acts > 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_end_of_a_value(shop):
    class Ending:
        def __del__(self):
            shop.again()

    shop.value = lambda x: Ending()
    for n in range(ROUNDS):
        shop.function(n % 40)
        if n % 3 == 0:
            shop.function.invalidate(n % 40)
        if n % 50 == 0:
            shop.cache.clear()
        if n % 70 == 0:
            shop.function.prime(Ending(), n % 40)
    check(shop)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_callback_of_a_weak_reference(shop):
    class Value:
        pass

    references = []

    def value(x):
        made = Value()
        references.append(weakref.ref(made, lambda reference: shop.again()))
        return made

    shop.value = value
    for n in range(ROUNDS):
        shop.function(n % 40)
        if n % 3 == 0:
            shop.function.invalidate(n % 40)
    check(shop)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_end_of_an_instance(shop):
    class Model:
        @shop.cache
        def method(self, x):
            return [x]

        def __del__(self):
            shop.again()

    for n in range(ROUNDS):
        model = Model()
        assert model.method(n) == [n]
        model.method(n)
        weakref.finalize(model, shop.again)
        del model
    check(shop)


def test_values_that_answer_with_the_cache(shop):
    class Hostile:
        def _again(self):
            shop.again()

        def __eq__(self, other):
            self._again()
            return True

        def __hash__(self):
            self._again()
            return 1

        def __bool__(self):
            self._again()
            return True

        def __reduce__(self):
            self._again()
            return (Hostile, ())

        @property
        def __class__(self):
            self._again()
            return str

    shop.value = lambda x: Hostile()
    for n in range(ROUNDS):
        value = shop.function(n % 40)
        assert shop.function(n % 40) is value or shop.acts
        shop.cache.set("key", value)
        assert shop.cache.get("key") is value or shop.acts
        shop.cache.delete("key")
    # The table asks a value nothing at all.
    shop.acts += 1
    check(shop)


def test_an_instance_that_answers_with_the_cache(shop):
    class Hostile:
        # As objects of ORMs do: equal by their row, and looked up on the way.
        @property
        def __class__(self):
            shop.again()
            return Hostile

        @shop.cache
        def method(self, x):
            return id(self), x

    for n in range(ROUNDS):
        instance = Hostile()
        try:
            assert instance.method(n) == (id(instance), n)
            assert Hostile.method(instance, n) == (id(instance), n)
        except LookupError:
            assert shop.expects_errors
    shop.acts += 1
    check(shop)


@pytest.mark.parametrize("keyword", ["when", "tags", "tags_from_result", "key"])
def test_a_callable_of_the_policy(keyword, shop):
    def callback(x):
        shop.again()
        return {"when": True, "tags": ["tag"], "tags_from_result": ["tag"], "key": x}[keyword]

    function = shop.cache(lambda x: [x], **{keyword: callback})
    for n in range(ROUNDS):
        try:
            assert function(n % 40) == [n % 40]
        except LookupError:
            # A key that cannot be built is the caller's; the rest is counted, and the value returned.
            assert keyword == "key" and shop.expects_errors
    assert (function.stats().errors > 0) == (shop.expects_errors and keyword != "key")
    check(shop)


def test_the_function_itself(shop):
    def value(x):
        shop.again()
        return [x]

    shop.value = value
    for n in range(ROUNDS):
        try:
            assert shop.function(2000 + n % 40) == [2000 + n % 40]
        except LookupError:
            assert shop.expects_errors
    check(shop)


def test_threads_whose_values_end_in_the_cache():
    cache = Cache(max_entries=8)

    class Ending:
        def __init__(self, x):
            self.x = x

        def __del__(self):
            if self.x % 7 == 0:
                cache.clear()
            elif self.x % 3 == 0:
                function.invalidate(self.x - 1)
            else:
                function.peek(self.x)

    @cache(tags=lambda x: [f"tag:{x % 3}"])
    def function(x):
        return Ending(x)

    failures = []

    def hammer(seed):
        try:
            for n in range(ROUNDS * 3):
                x = (n * 13 + seed) % 30
                assert function(x).x == x
                if n % 20 == 0:
                    cache.invalidate_tags(f"tag:{n % 3}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert cache.stats().entries <= 8


def test_when_that_asks_for_another_key_and_for_its_own():
    cache = Cache()
    refused = []

    def when(value):
        if value[0] < 5:
            assert function(value[0] + 1) == [value[0] + 1]
        try:
            function(value[0])
        except Recursion as error:
            refused.append(error)
        return True

    @cache(when=when)
    def function(x):
        return [x]

    # Its own key is being computed until it has been settled, and `when` is part of that.
    assert function(0) == [0]
    assert function.stats().errors == 0
    assert len(refused) == 6
    assert function.stats().entries == 6


def test_a_value_whose_end_clears_the_cache_that_holds_it():
    cache = Cache()
    ended = []

    class Ending:
        def __del__(self):
            ended.append(cache.stats().entries)
            cache.clear()

    for n in range(100):
        cache.set(n, Ending())
    cache.delete(0)
    assert cache.stats().entries == 0
    assert len(ended) == 100


def test_the_last_reference_to_the_function_goes_while_it_computes():
    cache = Cache()
    box = []

    def body(x):
        box.clear()
        gc.collect()
        return [x]

    for _ in range(20):
        box.append(cache(body))
        assert box[0](1) == [1]
    gc.collect()
    assert cache.stats().entries == 0

    async def later(x):
        box.clear()
        await asyncio.sleep(0)
        gc.collect()
        return [x]

    async def main():
        for _ in range(20):
            box.append(cache(later))
            assert await box[0](1) == [1]

    asyncio.run(main())
    gc.collect()
    assert cache.stats().entries == 0


def test_code_without_builtins_may_store_what_expires():
    """The sweeper is loaded by the first use of the default cache, whoever that is."""
    program = """
import sys
from everwarm import cache
assert "everwarm._sweeper" not in sys.modules
exec(compile("cache.set('a', 1, ttl=60)", "bare", "exec"), {"__builtins__": {}, "cache": cache})
assert "everwarm._sweeper" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

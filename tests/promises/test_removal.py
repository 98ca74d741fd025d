"""A listener is told of every entry that left: once, why, after it happened, and at nobody's cost."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
import textwrap
import threading
import weakref

import pytest
from everwarm import Cache, ConfigError
from worlds import until


@pytest.fixture
def told():
    return []


@pytest.fixture
def cache(told, clock):
    return Cache(
        max_entries=3,
        eviction="fifo",
        clock=clock,
        namespace="shop",
        on_remove=lambda *heard: told.append(heard),
    )


@pytest.mark.proves("Cache.on_remove")
def test_every_way_out_has_its_cause(cache, clock, told):
    def heard():
        heard = told.copy()
        told.clear()
        return heard

    cache.set("a", 1)
    assert heard() == []
    cache.set("a", 2)
    assert heard() == [("a", 1, "replaced")]
    cache.delete("a")
    cache.delete("a")
    assert heard() == [("a", 2, "deleted")]
    for number in range(4):
        cache.set(number, number)
    assert heard() == [(0, 0, "capacity")]
    cache.clear()
    assert sorted(heard()) == [(number, number, "cleared") for number in (1, 2, 3)]
    cache.set("a", 1, ttl=5)
    cache.set("b", 2, ttl=5)
    clock.advance(5)
    assert cache.get("a") is None
    assert heard() == [("a", 1, "expired")]
    assert cache.sweep() == 1
    assert heard() == [("b", 2, "expired")]
    cache.set("a", 1, tags=["tag"])
    cache.invalidate_tags("tag")
    assert cache.get("a") is None
    assert heard() == [("a", 1, "invalidated")]
    cache.set("a", 1)
    del cache
    gc.collect()
    assert heard() == []


def test_entries_of_functions_have_their_stored_names(world, cache, told):
    @world.cached(cache)
    def double(x):
        return 2 * x

    assert world.call(double, 1) == 2
    assert world.call(double, 2) == 4
    name = double.key(1)
    assert name.startswith("shop:")
    double.invalidate(1)
    assert told == [(name, 2, "invalidated")]
    world.call(double.refresh, 2) if world.is_async else double.refresh(2)
    assert told[1:] == [(double.key(2), 4, "replaced")]
    double.clear()
    assert told[2:] == [(double.key(2), 4, "cleared")]


def test_the_entries_of_a_function_that_is_gone_are_cleared(cache, told):
    double = cache(lambda x: 2 * x)
    double(1)
    name = double.key(1)
    del double
    gc.collect()
    assert told == [(name, 2, "cleared")]


def test_the_entries_of_an_instance_that_is_gone_are_cleared(cache, told):
    class Shop:
        @cache
        def price(self, x):
            return 2 * x

    shop = Shop()
    shop.price(1)
    del shop
    gc.collect()
    assert [(value, cause) for _, value, cause in told] == [(2, "cleared")]


@pytest.mark.parametrize(
    "key",
    [
        "text",
        "",
        "\ud800",
        "é",
        b"bytes",
        0,
        7,
        -7,
        2**100,
        -(2**100),
        True,
        None,
        1.5,
        (),
        (1, ("a", b"b"), -1),
    ],
)
def test_objects_have_their_own_keys(key, cache, told):
    cache.set(key, "value")
    cache.delete(key)
    [(heard, _, _)] = told
    assert (type(heard), heard) == (type(key), key)


def test_a_key_that_says_not_all_is_told_as_text(cache, told):
    for key in ("x" * 5_000, [1, 2], ("a", "x" * 5_000)):
        cache.set(key, "value")
        cache.delete(key)
    assert [type(heard) for heard, _, _ in told] == [str, str, str]
    assert told[1][0] == "[1, 2]"


def test_the_listener_is_called_after_the_operation_took_effect(clock):
    seen = []

    def listener(key, value, cause):
        seen.append((key, cause, cache.get(key), cache.stats().entries))

    cache = Cache(max_entries=1, clock=clock, on_remove=listener)
    cache.set("a", 1)
    cache.set("a", 2)
    cache.set("b", 3)
    cache.delete("b")
    assert seen == [("a", "replaced", 2, 1), ("a", "capacity", None, 1), ("b", "deleted", None, 0)]


def test_a_listener_may_put_back_what_left(clock):
    def listener(key, value, cause):
        if cause == "capacity" and value < 30:
            cache.set(key, value + 10)

    cache = Cache(max_entries=2, clock=clock, on_remove=listener)
    for number in range(3):
        cache.set(number, number)
    assert cache.stats().entries == 2
    assert cache.stats().errors == 0


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(3), GeneratorExit()])
def test_a_listener_that_raises_costs_nothing_but_is_counted_and_said_once(error, caplog, world):
    def listener(key, value, cause):
        raise error

    cache = Cache(max_entries=1, on_remove=listener)

    @world.cached(cache)
    def double(x):
        return 2 * x

    with caplog.at_level(logging.WARNING, logger="everwarm"):
        for number in range(5):
            assert world.call(double, number) == 2 * number
    stats = double.stats()
    assert (stats.errors, stats.evicted, stats.entries) == (4, 4, 1)
    assert sum("on_remove=" in message for message in caplog.messages) <= 1


def test_an_interrupt_in_a_listener_is_not_lost():
    def listener(key, value, cause):
        raise KeyboardInterrupt

    cache = Cache(on_remove=listener)
    cache.set("a", 1)
    with pytest.raises(KeyboardInterrupt):
        cache.delete("a")
        for _ in range(1_000):
            pass
    assert "a" not in cache


def test_an_exception_that_is_on_its_way_is_not_the_listeners_and_goes_on(cache, told):
    def fails():
        double = cache(lambda x: 2 * x)
        double(1)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine") as caught:
        fails()
    caught.value.__traceback__ = None
    del caught
    gc.collect()
    assert [cause for _, _, cause in told] == ["cleared"]


def test_the_sweeper_tells_of_what_expired():
    told = []
    cache = Cache(on_remove=lambda *heard: told.append((*heard, threading.current_thread().name)))
    cache.set("a", 1, ttl=0.01)
    until(lambda: told)
    assert told == [("a", 1, "expired", "everwarm-sweeper")]


def test_threads_are_told_of_each_entry_once():
    told = []
    cache = Cache(max_entries=20, on_remove=lambda key, value, cause: told.append(value))
    rounds, crew = 2_000, 4

    def work(seed):
        for number in range(rounds):
            cache.set(number * seed % 97, (seed, number))
            if number % 7 == 0:
                cache.delete(number % 97)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(1, crew + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cache.clear()
    assert len(told) == len(set(told)) == rounds * crew


def test_a_cache_and_its_listener_are_collected_and_tell_nothing():
    class Listener:
        def __init__(self):
            self.told = told
            self.cache = Cache(on_remove=self)

        def __call__(self, *heard):
            self.told.append(heard)

    told = []
    listener = Listener()
    listener.cache.set("self", listener)
    gone = weakref.ref(listener)
    del listener
    gc.collect()
    assert gone() is None
    assert told == []


def test_nobody_is_told_of_anything_when_the_interpreter_exits():
    script = """
        from everwarm import Cache

        shop = Cache(on_remove=lambda *told: print(told), max_entries=2)

        @shop(ttl=3600)
        def price(x):
            return x

        class Last:
            def __del__(self):
                price.clear()

        price(1)
        shop.set("a", Last())
        last = Last()
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_listener_is_a_callable():
    with pytest.raises(ConfigError, match="on_remove= takes a callable, not str"):
        Cache(on_remove="print")

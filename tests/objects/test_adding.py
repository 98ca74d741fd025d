"""Counters: `incr` and `decr`."""

from __future__ import annotations

import threading

import pytest
from everwarm import Cache


@pytest.mark.proves("incr.by")
@pytest.mark.proves("decr.by")
@pytest.mark.proves("incr.initial")
@pytest.mark.proves("decr.initial")
def test_a_counter_begins_where_it_is_told(shop):
    assert shop.incr("a") == 1 and shop.incr("a", 5) == 6 and shop.incr("a", by=-2) == 4
    assert shop.decr("a") == 3 and shop.decr("a", 5) == -2 and shop.get("a") == -2
    assert shop.incr("b", initial=10) == 11 and shop.incr("b", initial=10) == 12
    assert shop.decr("c", 3, initial=10) == 7
    assert shop.incr("d", 0) == 0 and shop.exists("d")
    assert shop.cache.stats().calls == 1, "of all these only `get` is a read"


def test_counters_have_no_end(shop):
    huge = 2**200
    assert shop.incr("a", huge) == huge and shop.incr("a", huge) == 2 * huge
    assert shop.decr("a", 3 * huge) == -huge


@pytest.mark.proves("incr.ttl_on_create")
@pytest.mark.proves("decr.ttl_on_create")
@pytest.mark.parametrize("verb", ["incr", "decr"])
def test_a_counter_keeps_the_lifetime_it_was_made_with(shop, clock, verb):
    count = getattr(shop, verb)
    first = count("a", ttl_on_create=10)
    shop.add_tags("a", "counters")
    clock.advance(4)
    assert count("a", ttl_on_create=60) == 2 * first and shop.ttl("a") == 6.0
    assert shop.get_with_meta("a").tags == ("counters",)
    clock.advance(6)
    assert count("a") == first, "an expired counter begins anew"
    assert shop.ttl("a") == float("inf")


@pytest.mark.parametrize("value", ["1", 1.0, True, None, [1]])
def test_only_whole_numbers_are_counted(shop, value):
    shop.set("a", value)
    with pytest.raises(TypeError, match="a counter is an int, not .*\nhint: "):
        shop.incr("a")
    assert shop.get("a") == value and type(shop.get("a")) is type(value)
    for wrong in ({"by": value}, {"initial": value}):
        if value is not None:
            with pytest.raises(TypeError, match="is an int, not .*\nhint: "):
                shop.incr("b", **wrong)
            with pytest.raises(TypeError, match="is an int, not .*\nhint: "):
                shop.decr("b", **wrong)
    assert not shop.exists("b")


def test_an_increment_ends_a_running_computation(shop):
    cache = shop.cache

    def compute():
        cache.incr("a", 5)
        return 1

    assert cache.get_or_compute("a", compute) == 1
    assert cache.get("a") == 5, "the late value is not stored over the count"


def test_no_update_is_lost_among_threads():
    cache, count, threads = Cache(), 10_000, 8
    together = threading.Barrier(threads)

    def work(number):
        together.wait()
        for _ in range(count):
            cache.incr("all")
            cache.decr(number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert cache.get("all") == threads * count
    assert [cache.get(number) for number in range(threads)] == [-count] * threads


def test_no_compare_and_set_is_lost_among_threads():
    cache, count, threads = Cache(), 500, 8
    cache.set("all", 0)

    def work():
        for _ in range(count):
            while True:
                seen = cache.get_with_meta("all")
                if cache.compare_and_set("all", seen.version, seen.value + 1):
                    break

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert cache.get("all") == threads * count

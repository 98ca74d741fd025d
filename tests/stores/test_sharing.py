"""What caches that have a store in common share, and what one of them does to the others."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass

import pytest
from everwarm import Cache, NotCached, StoreError
from everwarm.testing import assert_computed
from worlds import until

pytestmark = pytest.mark.once

# What another cache's memory needs at most to hear of a change, and how often it is asked meanwhile.
BOUND, LOOK = 0.5, 0.01


def heard(condition, *, within=4 * BOUND):
    """Whether it comes about within the stated bound; a busy machine is given four times that."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(LOOK)
    return False


def test_what_one_computes_is_a_hit_for_the_other(place, number):
    def price(sku: str) -> int:
        return next(number)

    here = place.cache()(name="price", ttl=60, tags=["sku:{sku}"])(price)
    there = place.cache()(name="price", ttl=60, tags=["sku:{sku}"])(price)
    assert here.call("lamp").status == "miss"
    found = there.call("lamp")
    assert (found.value, found.status, found.tier, found.tags) == (1, "hit", place.kind, ("sku:lamp",))
    assert 59 < found.ttl <= 60 and found.age < 1
    # Memory in front of a far store is emptied once, when it first hears of the others.
    assert heard(lambda: there.call("lamp").tier == "memory")
    stats = there.stats()
    assert (stats.hits, stats.misses, stats.computations) == (stats.calls, 0, 0)
    assert here.key("lamp") == there.key("lamp")


def test_explain_names_the_tiers_and_the_schema(place):
    price = place.cache()(name="price", schema="price-1")(lambda: 1)
    told = price.explain()
    assert (told.tiers, told.schema) == (("memory", place.kind), told.key.split(":")[-2])
    assert told.schema.startswith("price-1")
    assert f"that is what memory knows, and {place.kind} would be asked first" in str(told)
    # Memory in front of a far store is emptied once, when it first hears of the others.
    assert heard(lambda: price() == 1 and "asked first" not in str(price.explain()))
    assert place.cache(memory=False)(name="price")(lambda: 1).explain().tiers == (place.kind,)


def test_coroutine_functions_share_too(place, number):
    async def price(sku: str) -> int:
        await asyncio.sleep(0)
        return next(number)

    here, there = (place.cache()(name="price")(price) for _ in range(2))

    async def both():
        first = await asyncio.gather(*(here("lamp") for _ in range(5)))
        return first, await there.call("lamp")

    first, found = asyncio.run(both())
    assert first == [1] * 5 and (found.value, found.status, found.tier) == (1, "hit", place.kind)


def test_without_memory_every_hit_is_the_stores(place, number):
    cache = place.cache(memory=False)
    price = cache(name="price")(lambda sku: next(number))
    assert price("lamp") == price("lamp") == 1
    assert price.call("lamp").tier == place.kind
    assert price.stats().entries == 0 and price.stats().hits == 2


@pytest.mark.parametrize("way", ["invalidate", "clear", "tags", "all", "prime"])
def test_what_one_invalidates_the_other_does_not_give(place, number, way):
    here, there = place.cache(), place.cache()
    mine, theirs = (c(name="price", tags=["prices"])(lambda sku: next(number)) for c in (here, there))
    assert mine("lamp") == theirs("lamp") == 1
    if way == "invalidate":
        mine.invalidate("lamp")
    elif way == "clear":
        mine.clear()
    elif way == "tags":
        here.invalidate_tags("prices")
    elif way == "all":
        here.clear()
    else:
        mine.prime(7, "lamp")
    expected = 7 if way == "prime" else 2
    assert mine("lamp") == expected, "here at once"
    assert heard(lambda: theirs("lamp") == expected), "there within the bound"


def test_a_load_that_began_before_an_invalidation_elsewhere_is_not_kept(place):
    here, there = place.cache(), place.cache()
    began, goes_on, source = threading.Event(), threading.Event(), ["old"]

    def read():
        value = source[0]
        if value == "old":
            began.set()
            assert goes_on.wait(20)
        return value

    mine, theirs = (cache(name="read", tags=["t"])(read) for cache in (here, there))
    thread = threading.Thread(target=mine)
    thread.start()
    assert began.wait(20)
    source[0] = "new"
    there.invalidate_tags("t")
    goes_on.set()
    thread.join(20)
    assert mine() == theirs() == "new"


def test_who_asks_after_an_invalidation_elsewhere_gets_no_load_that_began_before(place):
    here, there = place.cache(), place.cache()
    began, goes_on, source = threading.Event(), threading.Event(), ["old"]

    def read():
        value = source[0]
        if value == "old":
            began.set()
            assert goes_on.wait(20)
        return value

    mine = here(name="read", tags=["t"])(read)
    there(name="read", tags=["t"])(read)
    given = {}
    threads = [threading.Thread(target=lambda at=at: given.update({at: mine()})) for at in range(2)]
    threads[0].start()
    assert began.wait(20)
    source[0] = "new"
    there.invalidate_tags("t")
    threads[1].start()
    # It follows the first, or, if this process has heard already, waits for its lease.
    heard(lambda: mine.stats().followers or 1 in given, within=BOUND / 4)
    goes_on.set()
    for thread in threads:
        thread.join(20)
    assert given == {0: "old", 1: "new"}


class Interrupted(dict):
    """A store that has something done as soon as it was written to."""

    def __init__(self):
        self.then = []

    def get(self, name):
        return dict.get(self, name)

    def set(self, name, data, ttl):
        self[name] = (data, ttl)
        while self.then:
            done = threading.Thread(target=self.then.pop())
            done.start()
            done.join(20)

    def delete(self, name):
        return self.pop(name, None) is not None

    def clear(self, prefix):
        for name in [name for name in self if name.startswith(prefix)]:
            del self[name]


@pytest.mark.parametrize("way", ["delete", "clear"])
@pytest.mark.parametrize("write", ["set", "set_many", "prime"])
def test_memory_does_not_keep_what_was_invalidated_while_it_was_written(write, way):
    store = Interrupted()
    with Cache(["memory://", store], namespace="shop") as cache:
        price = cache(name="price")(lambda: 2)
        gone = {
            "delete": lambda: (cache.delete("lamp"), price.invalidate()),
            "clear": cache.clear,
        }
        store.then.append(gone[way])
        if write == "set":
            cache.set("lamp", 1)
        elif write == "set_many":
            cache.set_many({"lamp": 1})
        else:
            price.prime(1)
        assert not store.then
        assert cache.get("lamp") is None and price() == 2, "the store has it no longer"
        cache.set("lamp", 3)
        price.prime(4)
        store.clear("")
        assert cache.get("lamp") == 3 and price() == 4, "memory keeps what nothing came between"


def test_one_computes_and_the_other_waits(place, number):
    begun, goes_on = threading.Event(), threading.Event()

    def slow(x):
        begun.set()
        assert goes_on.wait(20)
        return next(number)

    here, there = (place.cache()(name="slow")(slow) for _ in range(2))
    results = []
    first = threading.Thread(target=lambda: results.append(here(3)))
    first.start()
    assert begun.wait(20)
    second = threading.Thread(target=lambda: results.append(there(3)))
    second.start()
    time.sleep(0.05)
    assert next(number) == 1 and not results, "nobody else computes meanwhile"
    goes_on.set()
    first.join(20)
    second.join(20)
    assert results == [2, 2]


def test_only_if_cached_and_max_age_ask_the_store(place, number):
    here, there = (place.cache()(name="price")(lambda sku: next(number)) for _ in range(2))
    with pytest.raises(NotCached):
        there.using(only_if_cached=True)("lamp")
    assert here("lamp") == 1
    assert there.using(only_if_cached=True)("lamp") == 1
    # Memcached counts whole seconds.
    age = 1.05 if place.kind == "memcached" else 0.05
    time.sleep(age + (1 if place.kind == "memcached" else 0.01))
    assert there.using(max_age=60)("lamp") == 1
    assert there.using(max_age=age)("lamp") == 2
    assert here.using(refresh=True)("lamp") == 3 and heard(lambda: there("lamp") == 3)
    assert here.using(read_only=True)("table") == 4 and there.peek("table") is None
    assert here.using(skip=True)("lamp") == 5 and there("lamp") == 3


@dataclass
class Point:
    x: int
    y: tuple[int, ...]


class Odd:
    pass


def test_a_class_in_the_annotation_comes_back(place):
    def point(x: int) -> list[Point]:
        return [Point(x, (x, x))]

    here, there = (place.cache(memory=False)(name="point")(point) for _ in range(2))
    with assert_computed(here, 1), assert_computed(there, 0):
        assert here(3) == there(3) == [Point(3, (3, 3))]
        assert type(there(3)[0]) is Point


def test_what_cannot_leave_stays_in_memory_is_counted_and_said_once(place, number, caplog):
    caplog.set_level(logging.WARNING, "everwarm")
    here, there = (place.cache()(name=f"odd{place.kind}")(lambda x: Odd()) for _ in range(2))

    def is_kept():
        first = here(1)
        return here(1) is first and there(1) is not first and here(2) is not first

    # Memory in front of a far store is emptied once, when it first hears of the others.
    until(is_kept)
    stats = here.stats()
    assert stats.refused == stats.computations and stats.hits >= 1
    assert stats.computations == 2 or place.kind in ("redis", "http")
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1 and "Odd" in said[0] and "hint: " in said[0]


def test_values_of_another_schema_are_a_clean_miss(place, number):
    def narrow(x: int) -> int:
        return next(number)

    def wide(x: int) -> float:
        return float(next(number))

    here, there = place.cache()(name="f")(narrow), place.cache()(name="f")(wide)
    assert here(1) == 1 and there(1) == 2.0 and here.key(1) != there.key(1)


@pytest.mark.proves("Policy.schema")
def test_a_declared_schema_stands_for_the_annotation(place, number):
    def narrow(x: int) -> int:
        return next(number)

    def unknown(x):
        return next(number)

    here, there = (place.cache()(name="f", schema="number/1")(f) for f in (narrow, unknown))
    if place.kind in ("memory", "redis", "memcached", "http"):
        assert here(1) == there(1) == 1
    else:
        assert here(1) == 1 and there(1) == 2, "the source is another"
    same = (place.cache()(name="g", schema="number/1", depends_on="nothing")(f) for f in (narrow, unknown))
    one, other = same
    assert one(1) == other(1)


@pytest.mark.proves("Policy.depends_on")
def test_entries_depend_on_the_source_if_they_are_told(place):
    def first(x):
        return x + 1

    def second(x):
        return x + 2

    mine, theirs = (place.cache()(name="f", depends_on="source")(f) for f in (first, second))
    assert mine(1) == 2 and theirs(1) == 3
    mine, theirs = (place.cache()(name="g", depends_on="nothing")(f) for f in (first, second))
    assert mine(1) == 2 == theirs(1)


@pytest.mark.proves("Cache.format")
def test_each_format_has_its_values_and_no_others(place):
    cache = place.cache(memory=False, format="json")
    cache.set("a", {"b": [1, 2.5, None]})
    assert place.cache(memory=False, format="json").get("a") == {"b": [1, 2.5, None]}
    assert place.cache(memory=False).get("a") is None, "what is in another format is a miss"
    cache.set("a", (1, 2))
    assert cache.get("a") is None, "JSON has no tuple"


@pytest.mark.proves("Policy.format")
def test_a_function_may_have_a_format_of_its_own(place):
    text = (lambda value: value.encode(), lambda data: data.decode() + " again")
    shout = place.cache(memory=False)(name="shout", format=text)(lambda word: word.upper())
    assert shout("a") == "A" and shout("a") == "A again" and shout.stats().hits == 1


def test_functions_that_have_no_name_stay_in_memory(place, number, caplog, monkeypatch):
    monkeypatch.setattr("everwarm._report._refused", set())
    caplog.set_level(logging.WARNING, "everwarm")
    cache = place.cache()
    assert cache(lambda: next(number))() == 1
    assert "name=" in caplog.text and "hint: " in caplog.text


def test_a_number_counts_for_all(place):
    here, there = place.cache(), place.cache()

    def count(cache):
        for _ in range(50):
            cache.incr("visits")

    threads = [threading.Thread(target=count, args=(cache,)) for cache in (here, there) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert here.incr("visits", 0) == 200


def test_a_version_is_the_stores(place):
    here, there = place.cache(), place.cache()
    here.set("a", 1)
    seen = there.get_with_meta("a")
    assert here.compare_and_set("a", seen.version, 2) is True
    assert there.compare_and_set("a", seen.version, 3) is False
    assert there.add("a", 4) is False and there.replace("a", 5) is True
    assert heard(lambda: here.get("a") == 5)
    if place.kind != "memcached":
        assert sorted(there.scan()) == ["a"]
    assert there.get_many(["a", "b"]) == {"a": 5}
    there.set_many({("k", 1): 1, "b": 2}, ttl=60)
    assert here.get_many([("k", 1), "b"]) == {("k", 1): 1, "b": 2} and 59 < here.ttl("b") <= 60
    assert here.delete_many(["b", "c"]) == 1 and there.delete(("k", 1)) is True


def test_namespaces_do_not_touch(place):
    here = place.cache()
    other = Cache([place._store], namespace="shop2")
    here.set("a", 1)
    other.set("a", 2)
    here.clear()
    assert here.get("a") is None and other.get("a") == 2
    other.close()


class Broken:
    """A store that fails at everything."""

    def get(self, name):
        raise ConnectionError("secret")

    set = delete = clear = get


Broken.set = lambda self, name, data, ttl: Broken.get(self, name)


def test_a_store_that_fails_never_breaks_the_function(number):
    cache = Cache(["memory://", Broken()], namespace="shop")
    price = cache(name="price", ttl=60)(lambda sku: next(number))
    assert price("lamp") == price("lamp") == 1
    price.invalidate("lamp")
    assert price("lamp") == 2
    cache.set("a", 1)
    assert cache.get("a") == 1 and cache.delete("a") in (True, False) and cache.get("a") is None

    async def later(sku):
        return next(number)

    assert asyncio.run(cache(name="later")(later)("lamp")) == 3


def test_each_tier_counts_for_itself(place, number):
    here, there = place.cache(), place.cache()
    mine, theirs = (cache(name="price")(lambda sku: next(number)) for cache in (here, there))
    assert mine("lamp") == theirs("lamp") == 1
    (tier,) = here.tiers()
    assert (tier.name, tier.hits, tier.sets, tier.pending) == (place.kind, 0, 1, 0)
    assert (tier.errors, tier.refused) == ({}, {})
    assert [(tier.hits, tier.sets) for tier in there.tiers()] == [(1, 0)]
    assert Cache().tiers() == ()


def test_failures_are_counted_by_kind_and_tier(number):
    cache = Cache(["memory://", Broken()], namespace="shop")
    cache.set("a", 1)
    (tier,) = cache.tiers()
    assert set(tier.errors) == {"transient"} and tier.errors["transient"] >= 1


def test_what_depends_on_the_answer_of_a_store_that_fails_raises():
    cache = Cache(["memory://", Broken()], namespace="shop")
    with pytest.raises((StoreError, NotImplementedError), match="hint: ") as caught:
        cache.incr("a")
    assert "secret" not in str(caught.value)


def test_after_damage_it_begins_empty_rather_than_wrong_and_says_so(tmp_path, number, caplog):
    caplog.set_level(logging.WARNING, "everwarm")
    url = f"disk://{tmp_path}/store"
    first = Cache([url], namespace="shop")
    price = first(name="price")(lambda sku: next(number))
    assert [price(sku) for sku in range(5)] == [1, 2, 3, 4, 5]
    first.close()
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.stat().st_size]
    for file in files:
        # Behind the first bytes, by which a store knows a file as one of its own.
        whole = file.read_bytes()
        file.write_bytes(whole[:16] + bytes(byte ^ 0xFF for byte in whole[16:]))
    again = Cache([url], namespace="shop")
    price = again(name="price")(price.uncached)
    assert price(0) == 6 and price(0) == 6
    assert heard(lambda: "computed anew" in caplog.text)
    again.close()

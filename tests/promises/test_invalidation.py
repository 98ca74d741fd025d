"""Invalidation wins over a running computation: its callers get its value, later ones do not, nor memory."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache
from worlds import PATIENCE, Gate, adds_up, until

VERBS = {
    "invalidate": lambda cache, load: load.invalidate(1),
    "clear of the function": lambda cache, load: load.clear(),
    "cache_clear": lambda cache, load: load.cache_clear(),
    "clear of the cache": lambda cache, load: cache.clear(),
    "invalidate_tags, text": lambda cache, load: cache.invalidate_tags("plain"),
    "invalidate_tags, template": lambda cache, load: cache.invalidate_tags("key:1"),
    "invalidate_tags, several": lambda cache, load: cache.invalidate_tags("nothing", "key:1"),
    "invalidate_tags, iterable": lambda cache, load: cache.invalidate_tags(
        tag for tag in ["nothing", "plain"]
    ),
}


def versioned(world, cache, **policy):
    """A function whose nth computation stands at the nth gate and gives n."""
    gates = [Gate() for _ in range(4)]
    computed = []

    @world.cached(cache(tags=["plain", "key:{key}"], **policy))
    def load(key):
        computed.append(key)
        turn = len(computed)
        yield gates[turn - 1]
        return turn

    return load, gates


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_computed_during_an_invalidation_goes_to_its_own_callers_only(world, cache, verb):
    load, gates = versioned(world, cache)
    leader = world.start(load, 1)
    gates[0].is_reached()
    follower = world.start(load, 1)
    until(lambda: load.stats().followers == 1)

    VERBS[verb](cache, load)

    later = world.start(load, 1)
    gates[1].is_reached()
    gates[0].open()
    assert leader.result(PATIENCE) == follower.result(PATIENCE) == 1
    assert load.peek(1) is None, "the outdated value is not stored"
    assert not later.done()
    gates[1].open()
    assert later.result(PATIENCE) == 2
    assert load.peek(1).value == 2
    assert world.call(load, 1) == 2
    assert adds_up(load, 4).computations == 2


@pytest.mark.parametrize("verb", VERBS)
def test_what_lands_after_its_invalidation_takes_no_room(world, cache, verb):
    load, gates = versioned(world, cache)
    leader = world.start(load, 1)
    gates[0].is_reached()
    VERBS[verb](cache, load)
    gates[0].open()
    assert leader.result(PATIENCE) == 1
    assert load.stats().entries == 0 == cache.stats().entries


@pytest.mark.parametrize("verb", VERBS)
def test_an_invalidated_entry_is_computed_anew(world, cache, verb):
    load, gates = versioned(world, cache)
    for gate in gates:
        gate.open()
    assert [world.call(load, 1), world.call(load, 1)] == [1, 1]
    VERBS[verb](cache, load)
    assert load.peek(1) is None
    assert [world.call(load, 1), world.call(load, 1)] == [2, 2]


@pytest.mark.parametrize("verb", VERBS)
def test_an_outdated_value_that_lands_after_a_newer_one_does_not_replace_it(world, cache, verb):
    load, gates = versioned(world, cache)
    late = world.start(load, 1)
    gates[0].is_reached()
    VERBS[verb](cache, load)
    gates[1].open()
    assert world.call(load, 1) == 2
    gates[0].open()
    assert late.result(PATIENCE) == 1
    assert world.call(load, 1) == 2


def test_a_primed_value_wins_over_a_computation_that_is_running(world, cache):
    load, gates = versioned(world, cache)
    leader = world.start(load, 1)
    gates[0].is_reached()
    load.prime(70, 1)
    assert world.call(load, 1) == 70
    gates[0].open()
    assert leader.result(PATIENCE) == 1
    assert world.call(load, 1) == 70


def test_a_refreshed_value_wins_over_a_computation_that_is_running(world, cache):
    load, gates = versioned(world, cache)
    leader = world.start(load, 1)
    gates[0].is_reached()
    refreshed = world.start(load.refresh, 1)
    gates[1].is_reached()
    gates[1].open()
    assert refreshed.result(PATIENCE) == 2
    gates[0].open()
    assert leader.result(PATIENCE) == 1
    assert world.call(load, 1) == 2


def test_invalidation_wins_over_a_refresh_too(world, cache):
    load, gates = versioned(world, cache)
    refreshed = world.start(load.refresh, 1)
    gates[0].is_reached()
    load.invalidate(1)
    gates[0].open()
    assert refreshed.result(PATIENCE) == 1
    assert load.peek(1) is None


def test_other_keys_and_functions_stay(world, cache):
    load, gates = versioned(world, cache)
    other, other_gates = versioned(world, cache)
    for gate in [*gates, *other_gates]:
        gate.open()
    world.call(load, 1), world.call(load, 2), world.call(other, 1)
    load.invalidate(1)
    assert load.peek(1) is None and load.peek(2).value == 2 and other.peek(1).value == 1
    load.clear()
    assert load.peek(2) is None and other.peek(1).value == 1
    cache.invalidate_tags("key:3")
    assert other.peek(1).value == 1
    cache.clear()
    assert other.peek(1) is None


def test_object_entries_are_set_and_deleted_by_key_tag_and_clear(cache):
    def kept():
        return [key for key in "abc" if key in cache]

    def fill():
        for key in "abc":
            cache.set(key, key.upper(), tags=[f"letter:{key}", "letters"])

    fill()
    assert cache.delete("a") and not cache.delete("a") and kept() == ["b", "c"]
    fill()
    cache.invalidate_tags("letter:b")
    assert kept() == ["a", "c"] and cache.get("b") is None
    cache.invalidate_tags(["letters"])
    assert kept() == []
    fill()
    cache.clear()
    assert kept() == []


class User:
    def __init__(self, id):
        self.id = id
        self.address = {"city": "Bern", "lines": ["first", "second"]}


TAGS = {
    "text": (["users"], "users"),
    "parameter": (["user:{who}"], "user:u"),
    "attribute": (["user:{user.id}"], "user:7"),
    "item": (["city:{user.address[city]}"], "city:Bern"),
    "position": (["line:{user.address[lines][1]}"], "line:second"),
    "two fields": (["{who}/{user.id}"], "u/7"),
    "doubled braces": (["{{who}}"], "{who}"),
    "callable": (lambda who, user: [f"both:{who}:{user.id}", "other"], "both:u:7"),
}


@pytest.mark.parametrize("given", TAGS)
def test_tags_are_made_from_the_arguments(world, cache, given):
    tags, tag = TAGS[given]

    @world.cached(cache(tags=tags, key="{who}"))
    def load(who, user):
        return user.id

    assert world.call(load, "u", User(7)) == 7
    assert tag in load.peek("u", User(7)).tags
    cache.invalidate_tags("no such tag")
    assert load.peek("u", User(7)) is not None
    cache.invalidate_tags(tag)
    assert load.peek("u", User(7)) is None


def test_tags_are_made_from_the_result(world, cache):
    @world.cached(cache(tags=["orders"], tags_from_result=lambda order: [f"customer:{order['customer']}"]))
    def load(number):
        return {"customer": number % 2}

    for number in range(4):
        world.call(load, number)
    assert set(load.peek(3).tags) == {"orders", "customer:1"}
    cache.invalidate_tags("customer:1")
    assert [load.peek(number) is None for number in range(4)] == [False, True, False, True]


def test_primed_entries_have_their_tags(cache):
    @cache(tags=["key:{key}"], tags_from_result=lambda value: [f"value:{value}"])
    def load(key):
        return key

    load.prime("a", 1)
    load.prime("b", 2)
    cache.invalidate_tags("key:1")
    assert load.peek(1) is None and load.peek(2).value == "b"
    cache.invalidate_tags("value:b")
    assert load.peek(2) is None


def test_a_tag_that_only_the_result_names_wins_over_the_running_computation(world, cache):
    gates = [Gate(), Gate()]
    computed = []

    @world.cached(cache(tags_from_result=lambda value: ["from result"]))
    def load(key):
        computed.append(key)
        turn = len(computed)
        yield gates[turn - 1]
        return turn

    leader = world.start(load, 1)
    gates[0].is_reached()
    before = world.start(load, 1)
    until(lambda: load.stats().followers == 1)
    cache.invalidate_tags("from result")
    # Nobody knows yet that the tag meets this computation: who comes now joins, and must not have its value.
    after = world.start(load, 1)
    until(lambda: load.stats().misses == 3)
    gates[1].open()
    gates[0].open()
    assert leader.result(PATIENCE) == before.result(PATIENCE) == 1
    assert after.result(PATIENCE) == 2
    assert world.call(load, 1) == 2
    adds_up(load, 4)


def test_tags_outlive_the_graveyard_of_invalidated_tags(world, cache):
    """More tags than markers are kept: a lost marker is a miss, never a resurrection."""
    load, gates = versioned(world, cache)
    running = world.start(load, 1)
    gates[0].is_reached()
    cache.set("kept", 1, tags=["kept"])
    cache.set("gone", 1, tags=["gone"])
    cache.invalidate_tags("key:1", "gone")
    for batch in range(20):
        cache.invalidate_tags(f"tag:{batch}:{number}" for number in range(1_000))
    assert cache.get("kept") == 1 and cache.get("gone") is None
    gates[0].open()
    assert running.result(PATIENCE) == 1 and load.peek(1) is None
    gates[1].open()
    assert world.call(load, 1) == 2 == world.call(load, 1)
    cache.invalidate_tags("tag:0:0")
    assert load.peek(1).value == 2


def test_invalidating_a_tag_costs_the_same_at_any_number_of_entries():
    def best_of(entries):
        cache = Cache(max_entries=2 * entries)
        best = float("inf")
        for _ in range(3):
            for key in range(entries):
                cache.set(key, key, tags=["all"])
            begun = time.perf_counter()
            for _ in range(20):
                cache.invalidate_tags("all")
            best = min(best, time.perf_counter() - begun)
            assert cache.get(entries - 1) is None and cache.get(0) is None
        return best

    # A thousand times the entries: a cost per entry would show as a factor of that order.
    assert best_of(100_000) < 50 * best_of(100)


def test_one_text_alone_is_one_tag(cache):
    cache.set("a", 1, tags=["a"])
    cache.invalidate_tags("abc")
    assert cache.get("a") == 1
    cache.invalidate_tags()
    assert cache.get("a") == 1

"""What each option of `using` makes of a hit, of a miss and of a computation that is running."""

from __future__ import annotations

import asyncio

import pytest
from everwarm import Cache, ConfigError, NotCached, UnknownOption
from worlds import PATIENCE, Gate, adds_up, until

NOT_CACHED = "NotCached"

# For each option, with an entry of age 5 there, with none, and with a computation running: what the call's
# status is, how many calls and computations are counted of hits, misses, bypass, computations and followers,
# and whether the entry afterwards holds the call's own value ("own"), the one from before ("old") or is
# not there ("none").
TABLE = {
    "nothing": (
        {},
        ("hit", (1, 0, 0, 0, 0), "old"),
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("follower", (0, 1, 0, 0, 1)),
    ),
    "skip": (
        {"skip": True},
        ("bypass", (0, 0, 1, 0, 0), "old"),
        ("bypass", (0, 0, 1, 0, 0), "none"),
        ("bypass", (0, 0, 1, 0, 0)),
    ),
    "refresh": (
        {"refresh": True},
        ("refreshed", (0, 0, 1, 1, 0), "own"),
        ("refreshed", (0, 0, 1, 1, 0), "own"),
        ("refreshed", (0, 0, 1, 1, 0)),
    ),
    "only_if_cached": (
        {"only_if_cached": True},
        ("hit", (1, 0, 0, 0, 0), "old"),
        (NOT_CACHED, (0, 1, 0, 0, 0), "none"),
        (NOT_CACHED, (0, 1, 0, 0, 0)),
    ),
    "max_age, old enough": (
        {"max_age": 4.9},
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("follower", (0, 1, 0, 0, 1)),
    ),
    "max_age, young enough": (
        {"max_age": 5},
        ("hit", (1, 0, 0, 0, 0), "old"),
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("follower", (0, 1, 0, 0, 1)),
    ),
    "max_age and only_if_cached": (
        {"max_age": "4s", "only_if_cached": True},
        (NOT_CACHED, (0, 1, 0, 0, 0), "old"),
        (NOT_CACHED, (0, 1, 0, 0, 0), "none"),
        (NOT_CACHED, (0, 1, 0, 0, 0)),
    ),
    "read_only": (
        {"read_only": True},
        ("hit", (1, 0, 0, 0, 0), "old"),
        ("miss", (0, 1, 0, 1, 0), "none"),
        ("follower", (0, 1, 0, 0, 1)),
    ),
    "write_only": (
        {"write_only": True},
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("miss", (0, 1, 0, 1, 0), "own"),
        ("follower", (0, 1, 0, 0, 1)),
    ),
}


def counted(function):
    stats = function.stats()
    return (stats.hits, stats.misses, stats.bypass, stats.computations, stats.followers)


def told(world, using, *args):
    try:
        result = world.call(using.call, *args)
    except NotCached as error:
        assert "\nhint: " in str(error)
        return NOT_CACHED, None
    return result.status, result.value


def left_by(function, value, before):
    entry = function.peek(1)
    if entry is None:
        return "none"
    return "old" if entry.value is before else "own" if entry.value is value else "other"


@pytest.mark.proves("using.skip", "using.refresh", "using.only_if_cached")
@pytest.mark.proves("using.max_age", "using.read_only", "using.write_only")
@pytest.mark.parametrize("case", TABLE)
def test_with_and_without_an_entry(world, cache, clock, case):
    options, with_entry, without, _ = TABLE[case]

    @world.cached(cache)
    def load(x):
        return [x]

    for there, (status, difference, left) in ((False, without), (True, with_entry)):
        load.clear()
        before = world.call(load, 1) if there else None
        clock.advance(5)
        counts = counted(load)
        said, value = told(world, load.using(**options), 1)
        after = counted(load)
        assert said == status
        assert tuple(new - old for new, old in zip(after, counts, strict=True)) == difference
        assert left_by(load, value, before) == left
    assert adds_up(load, load.stats().calls).calls == 3


@pytest.mark.parametrize("case", TABLE)
def test_beside_a_computation(world, cache, case):
    options, _, _, (status, difference) = TABLE[case]
    gate, first = Gate(), []

    @world.cached(cache)
    def load(x):
        if not first:
            first.append(x)
            yield gate
        return [x]

    leader = world.start(load, 1)
    gate.is_reached()
    counts = counted(load)
    call = world.start(load.using(**options).call, 1)
    if status == "follower":
        until(lambda: load.stats().followers == 1)
        gate.open()
        assert call.result(PATIENCE).value is leader.result(PATIENCE)
    elif status == NOT_CACHED:
        with pytest.raises(NotCached):
            call.result(PATIENCE)
    else:
        assert call.result(PATIENCE).status == status
    after = counted(load)
    gate.open()
    leader.result(PATIENCE)
    assert tuple(new - old for new, old in zip(after, counts, strict=True)) == difference


@pytest.mark.proves("using.read_only")
def test_who_follows_a_read_only_call_gets_its_value(world, cache):
    gate = Gate()

    @world.cached(cache)
    def load(x):
        yield gate
        return [x]

    leader = world.start(load.using(read_only=True), 1)
    gate.is_reached()
    follower = world.start(load, 1)
    until(lambda: load.stats().followers == 1)
    gate.open()
    assert follower.result(PATIENCE) is leader.result(PATIENCE)
    assert load.peek(1) is None


def test_an_older_entry_serves_others_until_it_is_replaced(world, cache, clock):
    gate, computed = Gate(), []

    @world.cached(cache)
    def load(x):
        computed.append(x)
        if len(computed) == 2:
            yield gate
        return len(computed)

    assert world.call(load, 1) == 1
    clock.advance(10)
    young = world.start(load.using(max_age=3), 1)
    gate.is_reached()
    assert world.call(load, 1) == 1
    gate.open()
    assert young.result(PATIENCE) == 2 == world.call(load, 1)


@pytest.mark.parametrize(
    "options",
    [
        {"skip": True, "refresh": True},
        {"refresh": True, "max_age": 3},
        {"skip": True, "only_if_cached": True},
        {"read_only": True, "write_only": True},
        {"max_age": 0},
        {"skip": "yes"},
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(cache, options):
    with pytest.raises(ConfigError, match="\nhint: "):
        cache(len).using(**options)


def test_an_unknown_option_names_the_nearest(cache):
    with pytest.raises(UnknownOption, match='did you mean "max_age"'):
        cache(len).using(maxage=3)


def test_methods_of_every_kind():
    cache = Cache()

    class Shop:
        @cache
        def price(self, x, refresh=False):
            return [x, refresh]

        @cache
        async def stock(self, x):
            return [x]

        @cache
        @classmethod
        def made(cls, x):
            return [cls, x]

        @cache
        @staticmethod
        def plain(x):
            return [x]

    shop = Shop()
    anew = shop.price.using(refresh=True)
    # The call's own `refresh` is the function's.
    assert anew(3, refresh=True) == [3, True]
    assert anew(3, refresh=True) is not anew(3, refresh=True)
    assert shop.price.using(only_if_cached=True)(3, refresh=True) == [3, True]
    assert Shop.made.using(skip=True)(3) == [Shop, 3]
    assert Shop.plain.using(write_only=True).call(3).status == "miss"
    assert asyncio.run(shop.stock.using(read_only=True).call(3)).status == "miss"
    assert shop.stock.peek(3) is None


def test_what_cannot_be_a_key_can_be_skipped(cache):
    function = cache(lambda thing: 1)
    assert function.using(skip=True).call(object()).key == ""


def test_mark_stale_makes_the_next_call_compute(world, cache):
    @world.cached(cache)
    def load(x):
        return [x]

    first = world.call(load, 1)
    load.mark_stale(1)
    load.mark_stale(2)
    assert load.peek(1) is None
    assert world.call(load, 1) is not first
    assert adds_up(load, 2).entries == 1


def test_mark_stale_leaves_a_running_computation_alone(world, cache):
    gate = Gate()

    @world.cached(cache)
    def load(x):
        yield gate
        return [x]

    leader = world.start(load, 1)
    gate.is_reached()
    load.mark_stale(1)
    gate.open()
    value = leader.result(PATIENCE)
    assert load.peek(1).value is value

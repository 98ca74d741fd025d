"""Bounded in bytes: what a cache holds weighs no more than it may, whatever is put in and by whom."""

from __future__ import annotations

import array
import collections
import sys
import threading

import pytest
from everwarm import Cache, ConfigError, Policy, _native

# What an entry takes besides its value and a long key: stated in docs/guide/bounds.md.
PLACE = 96


@pytest.mark.proves("Cache.max_bytes")
def test_what_a_cache_holds_weighs_no_more_than_it_may():
    cache = Cache(max_bytes=100_000)
    for number in range(500):
        cache.set(number, b"x" * (number * 7 % 3_000))
        assert cache.stats().bytes <= 100_000
    stats = cache.stats()
    assert stats.bytes > 90_000, "the bound is used"
    assert stats.evicted > 0 and stats.entries + stats.evicted == 500


def test_functions_and_objects_share_the_bound(world):
    cache = Cache(max_bytes="100kB", max_entries=None)
    assert cache.max_bytes == 100_000

    @world.cached(cache)
    def page(number):
        return b"x" * 5_000

    for number in range(40):
        assert len(world.call(page, number)) == 5_000
        cache.set(number, b"x" * 5_000)
    held, mine = cache.stats(), page.stats()
    assert held.bytes <= 100_000
    assert held.bytes == (sys.getsizeof(b"x" * 5_000) + PLACE) * held.entries
    assert 0 < mine.bytes < held.bytes
    page.clear()
    assert (page.stats().bytes, page.stats().entries) == (0, 0)
    cache.clear()
    assert cache.stats().bytes == 0


def test_an_entry_weighs_its_value_its_long_key_and_its_place():
    cache = Cache(max_bytes=10_000, weigher=lambda value: value)
    weights = []
    for key, value in [("a", 0), ("a", 7), ("b" * 17, 0), ("c" * 100, 0)]:
        before = cache.stats().bytes if key != "a" else 0
        cache.set(key, value)
        weights.append(cache.stats().bytes - before)
    assert weights == [PLACE, PLACE + 7, PLACE, PLACE + 4 + 2 + 100]


def test_without_a_bound_of_bytes_nothing_is_weighed():
    weighed = []
    cache = Cache(weigher=weighed.append)
    cache.set("key", "value")
    assert (cache.stats().bytes, weighed) == (0, [])


def test_a_later_value_changes_the_sum():
    cache = Cache(max_bytes=1_000_000)
    cache.set("key", b"x" * 10_000)
    heavy = cache.stats().bytes
    cache.set("key", b"x" * 1_000)
    assert cache.stats().bytes == heavy - 9_000
    cache.delete("key")
    assert cache.stats().bytes == 0


def test_a_value_that_is_too_heavy_is_returned_and_pushes_nobody_out(world):
    cache = Cache(max_bytes=50_000)
    for number in range(5):
        cache.set(number, b"x" * 5_000)

    @world.cached(cache)
    def blob(size):
        return b"x" * size

    assert len(world.call(blob, 60_000)) == len(world.call(blob, 60_000)) == 60_000
    stats = blob.stats()
    assert (stats.computations, stats.refused, stats.entries) == (2, 2, 0)
    assert cache.stats().entries == 5 and cache.stats().evicted == 0


def test_an_object_that_is_too_heavy_takes_its_forerunner_along():
    cache = Cache(max_bytes=50_000)
    cache.set("key", b"small")
    cache.set("key", b"x" * 60_000)
    assert "key" not in cache
    assert cache.stats().refused == 1


@pytest.mark.parametrize(
    "bounds", [{"max_bytes": 50_000}, {"policy": Policy(max_entry_bytes=50_000)}], ids=["cache", "entry"]
)
def test_a_conditional_write_that_is_too_heavy_says_so_and_changes_nothing(bounds):
    cache, heavy = Cache(**bounds), b"x" * 60_000
    assert cache.add("key", heavy) is False and "key" not in cache
    assert cache.stats().refused == 1
    assert cache.add("key", b"small") is True
    version = cache.get_with_meta("key").version
    assert cache.add("key", heavy) is cache.replace("key", heavy) is False
    assert cache.compare_and_set("key", version, heavy) is False
    assert cache.get("key") == b"small"
    assert cache.stats().refused == 4


def test_a_counter_that_grows_too_heavy_is_gone():
    cache = Cache(max_bytes=2_000)
    assert cache.incr("big", 1 << 1_000) == 1 << 1_000 and "big" in cache
    assert cache.incr("big", 1 << 20_000) == (1 << 20_000) + (1 << 1_000)
    assert "big" not in cache and cache.stats().refused == 1
    assert cache.incr("big", 1 << 20_000) == 1 << 20_000
    assert "big" not in cache and cache.stats().refused == 2


@pytest.mark.proves("Policy.max_entry_bytes")
def test_a_value_heavier_than_an_entry_may_be_is_returned_and_not_stored(world):
    cache = Cache()

    @world.cached(cache(max_entry_bytes="1kB"))
    def blob(size):
        return b"x" * size

    for size in (500, 500, 2_000, 2_000):
        assert len(world.call(blob, size)) == size
    stats = blob.stats()
    assert (stats.computations, stats.refused, stats.entries) == (3, 2, 1)
    blob.prime(b"x" * 2_000, 500)
    assert blob.peek(500) is None
    assert blob.stats().refused == 3


def test_objects_keep_to_the_bound_of_an_entry_of_the_caches_policy():
    cache = Cache(policy=Policy(max_entry_bytes=1_000))
    cache.set("key", b"small")
    cache.set("key", b"x" * 2_000)
    assert cache.get("key") is None
    assert cache.stats().refused == 1


@pytest.mark.proves("Cache.weigher")
def test_a_weigher_of_ones_own_says_what_a_value_weighs():
    cache = Cache(max_bytes=10_000, weigher=lambda value: value["weight"])
    for number in range(20):
        cache.set(number, {"weight": 3_000})
    assert cache.stats().entries == 3
    cache.set("heavy", {"weight": 20_000})
    assert "heavy" not in cache


@pytest.mark.parametrize("answer", [-1, "heavy", 1.5, None, 2**64, "raise"])
def test_a_weigher_that_fails_costs_neither_the_call_nor_the_entry(answer, caplog):
    def weigher(value):
        if answer == "raise":
            raise KeyError("no weight")
        return answer

    cache = Cache(max_bytes=100_000, weigher=weigher)
    cache.set("key", b"x" * 1_000)
    assert cache.get("key") == b"x" * 1_000
    stats = cache.stats()
    assert stats.errors == 1
    assert stats.bytes == sys.getsizeof(b"x" * 1_000) + PLACE


def test_the_weigher_may_use_the_cache_and_counts_as_no_call():
    def weigher(value):
        assert cache.get("other") == 1 or value == 1
        cache.sweep()
        return 10

    cache = Cache(max_bytes=100_000, weigher=weigher)
    cache.set("other", 1)
    cache.set("key", 2)
    assert cache.stats().errors == 0


def test_threads_keep_to_the_bound():
    cache = Cache(max_bytes=200_000)
    blob = cache(lambda size, number: b"x" * size)
    most = []

    def fill(seed):
        for number in range(500):
            blob((number * seed) % 10_000, number % 50)
            most.append(cache.stats().bytes)

    threads = [threading.Thread(target=fill, args=(seed,)) for seed in (3, 7, 11, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) <= 200_000 + (len(threads) - 1) * 10_300
    assert cache.stats().bytes <= 200_000


class Plain:
    def __init__(self, held):
        self.held = held


class Slotted:
    __slots__ = ("__private", "held")

    def __init__(self, held):
        self.held = held
        self.__private = held


class Below(Slotted):
    __slots__ = ("more",)


Pair = collections.namedtuple("Pair", "left right")


@pytest.mark.parametrize(
    "make",
    [
        lambda blob: blob,
        lambda blob: [blob],
        lambda blob: (1, blob),
        lambda blob: {blob},
        lambda blob: frozenset([blob]),
        lambda blob: {"key": blob},
        lambda blob: {blob: None},
        lambda blob: [[[[[[[[[blob]]]]]]]]],
        lambda blob: [blob, blob, [blob]],
        Plain,
        Slotted,
        Below,
        lambda blob: Pair(blob, blob),
        lambda blob: collections.OrderedDict(key=blob),
    ],
)
def test_an_estimate_counts_all_that_a_value_holds_and_each_object_once(make):
    estimate = _native.estimate(make(b"x" * 100_000))
    assert 100_033 <= estimate < 104_000


def test_the_estimate_of_bytes_is_exact():
    for size in (0, 1, 1_000, 1_000_000):
        assert _native.estimate(b"x" * size) == sys.getsizeof(b"x" * size)


def test_an_estimate_ends_with_circles_and_needs_no_help_from_the_value():
    circle = []
    circle.append(circle)
    assert _native.estimate(circle) < 1_000

    class Hostile:
        def __sizeof__(self):
            raise ValueError

        def __getattribute__(self, name):
            raise RuntimeError

    assert _native.estimate([Hostile()]) < 1_000
    assert _native.estimate([int, sys, len, None]) < 1_000, "what the process has anyway"


def test_an_estimate_of_much_is_made_from_a_part():
    rows = [{"name": f"name {number}", "blob": bytes(500)} for number in range(200_000)]
    each = _native.estimate(rows[:1])
    assert _native.estimate(rows) == pytest.approx(each * len(rows), rel=0.25)
    table = dict(enumerate(rows))
    assert _native.estimate(table) == pytest.approx(each * len(rows), rel=0.25)


def held_by(value):
    """The truth: what `sys.getsizeof` says of a value and of all that it holds, each object once."""
    seen, left, total = set(), [value], 0
    while left:
        one = left.pop()
        if id(one) in seen or one is None or isinstance(one, (bool, type)):
            continue
        seen.add(id(one))
        total += sys.getsizeof(one)
        if isinstance(one, (list, tuple, set, frozenset)):
            left += one
        elif isinstance(one, dict):
            left += [*one.keys(), *one.values()]
        else:
            left += [one.__dict__] if hasattr(one, "__dict__") else []
    return total


def text(number):
    return f"text {number} " * (number % 7 + 1)


SAME = "the same text" * 100


def texts(count):
    return [text(number) for number in range(count)]


def row(number):
    return {"id": number, "name": text(number), "tags": texts(number % 3)}


BLOB = "x" * 5_000_000

# Values whose estimate is near the truth, and by how much it may be off.
NEAR = {
    "a large one beside many small ones": (lambda: [*texts(40_000), BLOB], 0.01),
    "a large one in a set of small ones": (lambda: {*texts(40_000), BLOB}, 0.01),
    "a large one among a dict's values": (lambda: dict(enumerate([*texts(20_000), BLOB])), 0.01),
    "large ones again and again": (lambda: ["x" * (n % 50 == 0) * 10_000 for n in range(45_000)], 0.01),
    "a long list beside many short ones": (lambda: [*([n] for n in range(5_000)), texts(40_000)], 0.02),
    "a long dict beside many short ones": (
        lambda: [*({n: text(n)} for n in range(5_000)), dict.fromkeys(texts(40_000))],
        0.05,
    ),
    "one object many times": (lambda: [SAME] * 500_000, 0.01),
    "rows": (lambda: [row(n) for n in range(50_000)], 0.05),
    "small lists beyond a thousand": (lambda: [[n] * (n % 5) for n in range(1_500)], 0.05),
    "what repeats": (lambda: [b"x" * (10_000 if n % 200 == 0 else 10) for n in range(400_000)], 0.1),
    "instances": (lambda: [Plain(text(n)) for n in range(3_000)], 0.05),
}


@pytest.mark.parametrize("value", NEAR)
def test_an_estimate_is_near_what_a_value_holds(value):
    make, off = NEAR[value]
    made = make()
    assert _native.estimate(made) == pytest.approx(held_by(made), rel=off)


def test_a_chain_is_followed_for_ten_thousand_objects_and_counts_twice_beyond():
    def chain(length):
        first = None
        for _ in range(length):
            first = [first, bytes(100)]
        return first

    each = sys.getsizeof([None, None]) + sys.getsizeof(bytes(100))
    shorter, longer = chain(9_000), chain(50_000)
    assert _native.estimate(shorter) == pytest.approx(9_000 * each, rel=0.01)
    assert _native.estimate(longer) == pytest.approx(20_000 * each, rel=0.01)
    for value in shorter, longer:
        while value:  # one by one, or its end is that of the stack
            value = value[0]


def test_an_array_of_the_standard_library_counts_its_buffer():
    assert _native.estimate(array.array("q", [0]) * 10_000) >= 80_000


@pytest.mark.libraries
def test_arrays_and_frames_count_their_data():
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    polars = pytest.importorskip("polars")
    numbers = numpy.zeros(100_000)
    for value in (
        numbers,
        numbers[:],
        pandas.Series(numbers),
        pandas.DataFrame({"a": numbers}),
        polars.DataFrame({"a": numbers}),
        [numbers],
    ):
        assert _native.estimate(value) == pytest.approx(800_000, rel=0.01)


@pytest.mark.parametrize("size", [0, -1, True, 1.5, "", "256", "1 apple", [], 2**64])
@pytest.mark.parametrize("keyword", ["max_bytes", "max_entry_bytes"])
def test_sizes_that_cannot_be_meant_are_refused(keyword, size):
    make = {"max_bytes": Cache, "max_entry_bytes": Policy}[keyword]
    with pytest.raises(ConfigError, match="hint: "):
        make(**{keyword: size})


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"max_entries": None}, "both None"),
        ({"max_bytes": 1_000, "weigher": 3}, "weigher= takes a callable, not int"),
    ],
)
def test_bounds_that_cannot_be_meant_are_refused(keywords, message):
    with pytest.raises(ConfigError, match=message):
        Cache(**keywords)


def test_a_cache_shows_its_bounds():
    both, bytes_alone = Cache(max_bytes="1MB"), Cache(max_bytes="1KiB", max_entries=None)
    both.clear()
    bytes_alone.clear()
    assert repr(both) == "<everwarm.Cache: 0 of 10000 entries, 0 of 1000000 bytes>"
    assert repr(bytes_alone) == "<everwarm.Cache: 0 entries, 0 of 1024 bytes>"

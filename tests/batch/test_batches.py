"""One batch at a time: which ids the function is called with, and what its caller gets."""

from __future__ import annotations

import sys

import everwarm
import pytest
from everwarm import Batch, BatchMismatch, Cache, ConfigError, KeyRefused, NotCached, Result
from everwarm.testing import assert_computed


@pytest.fixture
def batch(way, cache, source):
    """A batch over the source, whose calls are run to their end."""
    return Ended(cache.batch(way.shaped(source)), way)


class Ended:
    """A batch whose awaitables are awaited."""

    VERBS = ("load", "call", "refresh")

    def __init__(self, batch, way):
        self.batch, self.way = batch, way

    def __call__(self, *args, **kwargs):
        return self.way.run(self.batch(*args, **kwargs))

    def __getattr__(self, name):
        verb = getattr(self.batch, name)
        return (lambda *args, **kwargs: self.way.run(verb(*args, **kwargs))) if name in self.VERBS else verb

    def using(self, **options):
        using = self.batch.using(**options)
        return lambda *args: self.way.run(using(*args))


def test_only_what_is_missing_is_computed_in_the_callers_order(batch, source):
    assert batch([3, 1, 3]) == [30, 10, 30]
    assert batch([2, 1, 4, 2]) == [20, 10, 40, 20]
    assert batch([1, 2, 3, 4]) == [10, 20, 30, 40]
    assert source.calls == [[3, 1], [2, 4]]


def test_what_is_not_there_is_none_in_a_list_left_out_of_a_dict_and_remembered(batch, source):
    assert batch([1, -1, 2]) == [10, None, 20]
    assert batch({-1, 1}) == {1: 10}
    assert batch([-1]) == [None]
    assert batch.load(-1) is None
    assert source.computed == [1, -1, 2]


def test_without_none_in_the_cache_absence_is_asked_for_again(way, cache, source):
    batch = Ended(cache.batch(cache_none=False)(way.shaped(source)), way)
    assert batch([1, -1]) == batch([1, -1]) == [10, None]
    assert source.computed == [1, -1, -1]


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_the_function_is_given_the_kind_of_its_caller(batch, source, kind):
    answer = batch(kind([1, 2]))
    assert answer == ([10, 20] if kind in (list, tuple) else {1: 10, 2: 20})
    assert source.calls == [kind([1, 2])]


def test_the_keys_of_a_mapping_are_a_set_and_other_iterables_a_list(batch, source):
    assert batch({1: "a"}.keys()) == {1: 10}
    assert batch(range(3)) == batch(iter(range(3))) == [0, 10, 20]
    assert source.calls == [{1}, [0, 2]]


def test_what_a_mapping_says_of_an_id_is_part_of_its_key(cache):
    calls = []

    @cache.batch
    def priced(basket: dict[str, int]) -> dict[str, int]:
        calls.append(basket)
        return {sku: len(sku) * count for sku, count in basket.items()}

    assert priced({"tv": 2, "lamp": 1}) == {"tv": 4, "lamp": 4}
    assert priced({"tv": 3, "lamp": 1}) == {"tv": 6, "lamp": 4}
    assert calls == [{"tv": 2, "lamp": 1}, {"tv": 3}]
    assert priced.load({"tv": 3}) == 6
    assert priced.peek({"lamp": 2}) is None


def test_other_arguments_are_part_of_every_key(batch, source):
    assert (batch([1]), batch([1], 2), batch([1], scale=2), batch(ids=[1])) == ([10], [20], [20], [10])
    assert source.calls == [[1], [1]]


def test_no_ids_are_no_call(batch, source):
    assert (batch([]), batch(set()), source.calls) == ([], {}, [])


@pytest.mark.proves("batch.argument")
def test_the_argument_is_the_first_or_the_one_that_is_named(cache):
    calls = []

    @cache.batch(argument="skus")
    def prices(rates, skus=("lamp",)):
        calls.append((rates, skus))
        return [len(sku) * rate for sku, rate in zip(skus, rates * len(skus), strict=True)]

    assert prices([2], ["tv"]) == [4]
    assert prices.explain([2], "tv").reason == "fresh"
    assert prices([2], ["tv", "lamp"]) == [4, 8]
    assert prices([2]) == prices([2], skus=("lamp",)) == [8]
    assert prices.load([2], "tv") == 4
    assert calls == [([2], ["tv"]), ([2], ["lamp"])]


@pytest.mark.proves("batch.chunk")
def test_a_chunk_bounds_what_one_call_is_given(way, cache, source):
    batch = Ended(cache.batch(chunk=2)(way.shaped(source)), way)
    assert batch(list(range(5))) == [0, 10, 20, 30, 40]
    assert source.calls == [[0, 1], [2, 3], [4]]


def test_ids_that_are_equal_and_not_the_same_are_asked_for_apart(cache):
    calls = []

    @cache.batch
    def kinds(ids: list[object]) -> dict[object, str]:
        calls.append(ids)
        return {each: type(each).__name__ for each in ids}

    assert kinds([1, True, 1.0, 1]) == ["int", "bool", "float", "int"]
    assert len(calls) == 3


def test_ids_that_no_mapping_takes_are_answered_by_a_list(cache):
    @cache.batch
    def sums(rows: list[list[int]]) -> list[int]:
        return [sum(row) for row in rows]

    with assert_computed(sums, 2):
        assert sums([[1, 2], [3], [1, 2]]) == [3, 3, 3]


ANSWERS = {
    "strangers": (lambda ids: {str(each): 1 for each in ids}, "not asked for"),
    "too few": (lambda ids: [1], "1 values for 2 ids"),
    "a text": (lambda ids: "ab", "gave str"),
    "a generator": (lambda ids: (each for each in ids), "gave generator"),
    "nothing": (lambda ids: None, "gave NoneType"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_does_not_fit_is_an_error_and_not_stored(way, cache, answer):
    give, said = ANSWERS[answer]
    batch = Ended(cache.batch(way.shaped(lambda ids, scale: give(ids))), way)
    for _ in range(2):
        with pytest.raises(BatchMismatch, match=said) as raised:
            batch([1, 2])
        assert isinstance(raised.value, ValueError)
        assert "\nhint: " in str(raised.value)
    assert batch.stats().entries == 0
    assert batch.stats().computations == 4


def test_a_set_has_no_order_to_answer_in(cache):
    batch = cache.batch(lambda ids: [1 for _ in ids])
    with pytest.raises(BatchMismatch, match="no order"):
        batch({1, 2})


def test_an_error_of_the_function_is_the_callers_and_nothing_is_stored(way, cache):
    def fails(ids, scale):
        raise LookupError(ids)

    batch = Ended(cache.batch(way.shaped(fails)), way)
    for _ in range(2):
        with pytest.raises(LookupError):
            batch([1, 2])
    assert (batch.stats().computations, batch.stats().entries) == (4, 0)


def test_what_was_computed_before_an_error_is_kept(way, cache):
    calls = []

    def fails_later(ids, scale):
        calls.append(ids)
        if 3 in ids:
            raise LookupError(3)
        return ids

    batch = Ended(cache.batch(chunk=2)(way.shaped(fails_later)), way)
    with pytest.raises(LookupError):
        batch([1, 2, 3, 4, 5])
    assert batch([1, 2, 5]) == [1, 2, 5]
    assert calls == [[1, 2], [3, 4], [5]]


def test_a_single_id_has_the_verbs_of_a_call(batch, source, clock):
    assert batch.load(1) == 10
    assert batch([1, 2]) == [10, 20]
    assert source.computed == [1, 2]
    clock.advance(3)
    found = batch.peek(2)
    assert isinstance(found, Result)
    assert (found.value, found.age, found.key) == (20, 3.0, batch.key(2))
    assert batch.explain(2).reason == "fresh"
    batch.invalidate(2)
    assert (batch.peek(2), batch.peek(1).value) == (None, 10)
    batch.mark_stale(1)
    assert batch([1]) == [10]
    assert source.computed == [1, 2, 1]


def test_many_ids_are_invalidated_refreshed_primed_and_cleared(batch, source):
    batch([1, 2, 3])
    batch.invalidate_many([1, 3, 7])
    assert batch([1, 2, 3]) == [10, 20, 30]
    assert source.calls == [[1, 2, 3], [1, 3]]
    assert batch.refresh([2, 4, 2]) == [20, 40, 20]
    assert source.calls[2:] == [[2, 4]]
    batch.prime({5: "five", 6: None})
    assert batch([5, 6, 5]) == ["five", None, "five"]
    batch.prime({5: "two"}, scale=2)
    assert batch([5], 2) == ["two"]
    batch.clear()
    assert batch.stats().entries == 0
    assert batch([5]) == [50]


def test_a_call_tells_of_every_id_how_it_was_had(batch):
    batch([1])
    told = batch.call([1, 2, -1, 2])
    assert [each.value for each in told] == [10, 20, None, 20]
    assert [each.status for each in told] == ["hit", "miss", "miss", "miss"]
    assert told[0].key == batch.key(1)
    assert {each: of.status for each, of in batch.call({1, -1}).items()} == {1: "hit", -1: "hit"}


def test_one_call_may_be_told_to_do_differently(batch, source, clock):
    batch([1, 2])
    assert batch.using(skip=True)([1, 3]) == [10, 30]
    assert batch.peek(3) is None
    clock.advance(5)
    batch([4])
    assert batch.using(max_age=1)([1, 4]) == [10, 40]
    assert source.calls == [[1, 2], [1, 3], [4], [1]]
    assert batch.using(only_if_cached=True)([1, 4]) == [10, 40]
    with pytest.raises(NotCached):
        batch.using(only_if_cached=True)([1, 9])
    assert batch.using(read_only=True)([8]) == [80]
    assert batch.peek(8) is None
    assert batch.using(refresh=True)([1]) == [10]
    assert source.calls[-1] == [1]


def test_the_policy_is_told_of_each_id(way, clock, cache, source):
    told = []
    batch = Ended(
        cache.batch(
            ttl=10,
            when=lambda value: value != 20,
            tags=lambda ids, scale=1: told.append(ids) or [f"odd:{ids % 2}", f"scale:{scale}"],
            tags_from_result=lambda value: [f"value:{value}"],
        )(way.shaped(source)),
        way,
    )
    batch([1, 2, 3])
    assert told == [1, 2, 3]
    assert batch.peek(2) is None
    assert set(batch.peek(1).tags) == {"odd:1", "scale:1", "value:10"}
    cache.invalidate_tags("value:30")
    batch([1, 2, 3])
    assert source.calls == [[1, 2, 3], [2, 3]]
    clock.advance(10)
    batch([1, 2, 3])
    assert source.calls[2:] == [[1, 2, 3]]


def test_tag_templates_and_key_templates_see_an_id(cache):
    @cache.batch(tags=["user:{ids}"], key="{ids.real}")
    def doubled(ids: list[int]) -> list[int]:
        return [2 * each for each in ids]

    assert doubled([1, 2]) == [2, 4]
    assert doubled([True]) == [2]
    cache.invalidate_tags("user:2")
    assert (doubled.peek(1).value, doubled.peek(2)) == (2, None)


def test_a_writer_invalidates_an_id(batch, cache, source):
    @cache.invalidates(keys=lambda each: [(batch.batch, each)])
    def write(each):
        return each

    batch([1, 2])
    write(2)
    assert batch([1, 2]) == [10, 20]
    assert source.calls == [[1, 2], [2]]


def test_isolated_values_are_copies(cache):
    @cache.batch(isolate=True)
    def rows(ids: list[int]) -> list[list[int]]:
        return [[each] for each in ids]

    rows([1])[0].append("changed")
    assert rows([1, 2]) == [[1], [2]]


def test_disabled_and_closed_caches_are_gone_past(batch, cache, source):
    batch([1])
    with everwarm.disabled():
        assert batch([1, 2, 1]) == [10, 20, 10]
    assert source.calls == [[1], [1, 2]]
    assert batch([1, 2]) == [10, 20]
    cache.close()
    assert batch([1, 3]) == [10, 30]
    stats = batch.stats()
    assert stats.calls == stats.hits + stats.misses + stats.bypass


def test_the_counters_count_ids(batch):
    batch([1, 2, 2])
    batch([2, 3, 2])
    stats = batch.stats()
    assert (stats.hits, stats.misses, stats.computations, stats.entries) == (2, 3, 3, 3)


class Shop:
    """Batches as methods."""

    def __init__(self, name):
        self.name = name

    def __cache_key__(self):
        return self.name

    cache = Cache()

    @cache.batch
    def prices(self, skus: list[str]) -> dict[str, str]:
        return {sku: f"{self.name}:{sku}" for sku in skus}

    @cache.batch
    @classmethod
    def known(cls, skus: list[str]) -> list[str]:
        return [f"{cls.__name__}:{sku}" for sku in skus]

    @cache.batch
    @staticmethod
    def plain(skus: list[str]) -> list[str]:
        return list(skus)


def test_methods_are_batches_of_their_instance():
    corner, market = Shop("corner"), Shop("market")
    assert corner.prices(["a"]) == ["corner:a"]
    assert market.prices(["a", "b"]) == ["market:a", "market:b"]
    assert (corner.prices.peek("a").value, corner.prices.peek("b")) == ("corner:a", None)
    market.prices.prime({"b": "primed"})
    assert (market.prices.load("b"), corner.prices.load("b")) == ("primed", "corner:b")
    market.prices.invalidate_many(["a", "b"])
    assert (market.prices.peek("a"), corner.prices.peek("a").value) == (None, "corner:a")
    assert Shop.known(["a"]) == corner.known(["a"]) == ["Shop:a"]
    assert Shop.plain(["a"]) == corner.plain(["a"]) == ["a"]
    assert corner.prices == corner.prices != market.prices
    assert corner.prices.uncached(["z"]) == {"z": "corner:z"}


def test_it_is_its_function_to_who_looks_at_it(cache):
    @cache.batch(ttl=5)
    def lengths(words: list[str]) -> dict[str, int]:
        """How long words are."""
        return {word: len(word) for word in words}

    assert isinstance(lengths, Batch)
    assert (lengths.__name__, lengths.__doc__) == ("lengths", "How long words are.")
    assert lengths.__wrapped__ is lengths.uncached
    assert lengths.uncached(["a"]) == {"a": 1}
    assert lengths.policy.ttl == 5
    assert repr(lengths).startswith("<batch <function ")


REFUSED = {
    "no parameter": (lambda cache: cache.batch(takes_nothing), "a first parameter"),
    "another name": (lambda cache: cache.batch(argument="skus")(lambda ids: {}), "a parameter `skus`"),
    "rest": (lambda cache: cache.batch(lambda *ids: {}), "a first parameter"),
    "chunk of 0": (lambda cache: cache.batch(chunk=0)(lambda ids: {}), "chunk"),
    "chunk of a text": (lambda cache: cache.batch(chunk="all")(lambda ids: {}), "chunk"),
    "a class": (lambda cache: cache.batch(int), "not classes"),
    "a generator": (lambda cache: cache.batch(yields), "yields"),
    "a time limit": (lambda cache: cache.batch(hard_timeout=1)(echo), "hard_timeout is not for batches"),
    "a bulkhead": (
        lambda cache: cache.batch(max_computations=1)(echo),
        "max_computations is not for batches",
    ),
}


def takes_nothing():
    return {}


def yields(ids):
    yield from ids


def echo(ids):
    return ids


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_a_batch_is_refused_when_it_is_decorated(cache, case):
    make, said = REFUSED[case]
    with pytest.raises(ConfigError, match=said) as raised:
        make(cache)
    assert "\nhint: " in str(raised.value)


def test_arguments_that_do_not_fit_are_refused_as_the_function_refuses_them(batch):
    with pytest.raises(TypeError, match="unexpected keyword argument 'sale'"):
        batch([1], sale=1)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        batch()
    for given in ("12", b"12", 12, None):
        with pytest.raises(KeyRefused, match=r"list, tuple, set or mapping") as raised:
            batch(given)
        assert "\nhint: " in str(raised.value)
    with pytest.raises(KeyRefused, match="primed by a mapping"):
        batch.prime([1, 2])
    with pytest.raises(KeyRefused):
        batch([object()])


def test_a_batch_that_asks_itself_for_an_id_it_computes_does_not_hang(cache):
    @cache.batch
    def depths(ids: list[int]) -> list[int]:
        return [depths([each])[0] for each in ids]

    with pytest.raises(everwarm.Recursion):
        depths([1, 2])


def test_a_batch_may_ask_itself_for_other_ids(cache):
    @cache.batch
    def depths(ids: list[int]) -> list[int]:
        below = [each - 1 for each in ids if each > 0]
        found = dict(zip(below, depths(below), strict=True)) if below else {}
        return [1 + found[each - 1] if each else 0 for each in ids]

    assert depths([20]) == [20]
    assert depths.stats().computations == 21


@pytest.mark.once
def test_lists_of_hits_grow_no_references(cache):
    batch = cache.batch(lambda ids: list(ids))
    value = object()
    batch.prime({1: value})
    batch([1] * 100)
    before = sys.getrefcount(value)
    for _ in range(100):
        batch([1] * 100)
    assert sys.getrefcount(value) == before

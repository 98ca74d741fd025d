"""Remembering "nothing" and errors, from threads and from an event loop."""

from __future__ import annotations

import pytest
from everwarm import Cache, Policy
from worlds import Gate, adds_up, until


@pytest.fixture
def price(world, cache, source):
    """Makes a function of the source under a policy."""

    def make(**keywords):
        @world.cached(cache(**keywords))
        def price(sku):
            return source(sku)

        return price

    return make


class Gone(LookupError):
    """An error of a class with an argument and a slot of its own."""

    def __init__(self, sku):
        super().__init__(f"no {sku}")
        self.sku = sku


def error_of(world, function):
    with pytest.raises(Exception) as raised:
        world.call(function, "a")
    return raised.value


@pytest.mark.proves("Policy.negative_ttl")
def test_nothing_is_remembered_for_a_time_of_its_own(world, price, clock, source):
    function = price(ttl=100, negative_ttl=5)
    source.value = "later"
    source_value, source.value = source.value, None

    @world.cached(function._cache(ttl=100, negative_ttl=5))
    def nothing(sku):
        source(sku)

    assert [world.call(nothing, "a") for _ in range(2)] == [None, None]
    assert source.asked == 1
    clock.advance(5)
    assert world.call(nothing, "a") is None
    assert source.asked == 2
    source.value = source_value
    assert world.call(function, "a") == "later"
    clock.advance(50)
    assert world.call(function, "a") == "later"
    assert source.asked == 3


def test_an_error_is_remembered_by_its_class(world, price, clock, source):
    function = price(negative_ttl={LookupError: 5, (OSError, ValueError): "10s"})
    source.error = Gone("a")
    errors = [error_of(world, function) for _ in range(3)]
    assert [(type(error), error.sku, str(error)) for error in errors] == [(Gone, "a", "no a")] * 3
    assert source.asked == 1
    assert function.explain("a").reason == "remembered"
    assert function.peek("a") is None
    clock.advance(5)
    source.error = ValueError("no")
    assert str(error_of(world, function)) == "no"
    clock.advance(9)
    assert str(error_of(world, function)) == "no"
    assert source.asked == 2
    # One of no such class is not remembered.
    clock.advance(1)
    source.error = TypeError("no")
    for _ in range(2):
        error_of(world, function)
    assert source.asked == 4
    adds_up(function, 7)


def test_a_remembered_error_is_a_copy_with_a_traceback_of_its_own(world, price, source):
    function = price(negative_ttl={ValueError: 60})
    source.error = ValueError("no")
    first, second, third = (error_of(world, function) for _ in range(3))
    assert first is source.error
    assert len({id(first), id(second), id(third)}) == 3

    def depth(error):
        frames, traceback = 0, error.__traceback__
        while traceback is not None:
            frames, traceback = frames + 1, traceback.tb_next
        return frames

    assert depth(second) == depth(third)
    assert "source" not in str(second.__traceback__.tb_frame.f_code.co_name)


@pytest.mark.proves("Policy.negative_on")
def test_one_duration_for_nothing_and_for_classes(world, price, source):
    function = price(negative_ttl="1m", negative_on=(LookupError, ValueError))
    source.error = KeyError("a")
    for _ in range(3):
        error_of(world, function)
    assert source.asked == 1


@pytest.mark.proves("Policy.negative_growth")
@pytest.mark.proves("Policy.negative_max_ttl")
def test_it_grows_with_each_in_a_row_up_to_its_most(world, price, clock, source):
    function = price(negative_ttl={ValueError: 4}, negative_growth=2, negative_max_ttl=10)
    source.error = ValueError("no")
    spans = []
    for _ in range(4):
        error_of(world, function)
        spans.append(function.explain("a").ttl)
        clock.advance(spans[-1])
    assert spans == [4, 8, 10, 10]
    # A value ends the row.
    source.error = None
    assert world.call(function, "a") == 5
    function.invalidate("a")
    source.error = ValueError("no")
    error_of(world, function)
    assert function.explain("a").ttl == 4


def test_followers_share_what_is_then_remembered(world, cache, source):
    gate = Gate()

    @world.cached(cache(negative_ttl={ValueError: 60}))
    def price(sku):
        yield gate
        return source(sku)

    source.error = ValueError("no")
    started = [world.start(price, "a") for _ in range(4)]
    gate.is_reached()
    until(lambda: price.stats().misses == 4)
    gate.open()
    for call in started:
        with pytest.raises(ValueError, match="no"):
            call.result(20)
    error_of(world, price)
    assert source.asked == 1


def test_what_is_invalidated_is_not_remembered(world, price, source):
    function = price(negative_ttl={ValueError: 60}, tags=["sku:{sku}"])
    source.error = ValueError("no")
    for let_go in (
        lambda: function.invalidate("a"),
        lambda: function._cache.invalidate_tags("sku:a"),
        function.clear,
    ):
        error_of(world, function)
        before = source.asked
        let_go()
        error_of(world, function)
        assert source.asked == before + 1


def test_a_remembered_error_gives_the_fallback(world, price, source):
    function = price(negative_ttl={ValueError: 60}, fallback="nothing")
    source.error = ValueError("no")
    assert [world.call(function, "a") for _ in range(2)] == ["nothing", "nothing"]
    assert source.asked == 1


def test_an_error_is_nobodys_object(clock):
    shop = Cache(clock=clock, policy=Policy(negative_ttl={ValueError: 60}))

    def fails():
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError):
            shop.get_or_compute("a", fails)
    assert shop.get("a") is None
    assert "a" not in shop
    assert shop.get_with_meta("a") is None
    assert shop.ttl("a") is None
    assert shop.add("a", 1)
    assert shop.get_or_compute("a", fails) == 1


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"negative_ttl": {int: 5}}, "negative_ttl"),
        ({"negative_ttl": {ValueError: None}}, "negative_ttl"),
        ({"negative_on": ValueError}, "negative_on"),
        ({"negative_ttl": 5, "negative_on": "ValueError"}, "negative_on"),
        ({"negative_ttl": {ValueError: 5}, "negative_on": ValueError}, "negative_on"),
        ({"negative_max_ttl": 5}, "negative_max_ttl"),
        ({"negative_ttl": 5, "negative_max_ttl": 1}, "negative_max_ttl"),
        ({"negative_ttl": 5, "negative_growth": 0.5}, "negative_growth"),
        ({"negative_ttl": 5, "negative_growth": "double"}, "negative_growth"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(keywords, named):
    with pytest.raises(ValueError, match=named):
        Policy(**keywords)


def test_policies_with_windows_are_values():
    one = Policy(negative_ttl={ValueError: 5, None: 1}, fallback=None)
    assert one == Policy(negative_ttl={None: 1, ValueError: 5}, fallback=None)
    assert hash(one) == hash(Policy(negative_ttl={None: 1, ValueError: 5}, fallback=None))
    assert one.replace(negative_ttl=3).negative_ttl == 3

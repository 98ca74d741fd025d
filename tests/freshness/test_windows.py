"""The table of lifetimes, judgements and settlements: each row from threads and from an event loop."""

from __future__ import annotations

import pytest
from everwarm import Cache, NotCached, Policy
from worlds import Gate, adds_up, until

WHOLE = Policy(
    ttl=10,
    refresh_ahead=0.8,
    stale_while_revalidate=10,
    stale_if_error=20,
    error_backoff=2,
)


@pytest.fixture
def aged(world, cache, clock, source):
    """Makes a function under a policy whose entry, the value 1, is so old."""

    def make(policy, seconds, **keywords):
        @world.cached(cache(policy, **keywords))
        def price(sku):
            return source(sku)

        assert world.call(price, "a") == 1
        clock.advance(seconds)
        return price

    return make


def told(world, function, *args):
    """The status and the value of a call."""
    if world.is_async:
        result = world.run(lambda: function.call(*args)).result(20)
    else:
        result = function.call(*args)
    return result.status, result.value


# What a call gives at which age, of a source that answers and of one that fails; how often that was asked.
ROWS = {
    "fresh": (7, ("hit", 1), ("hit", 1), 1),
    "due": (8, ("hit", 1), ("hit", 1), 2),
    "stale": (10, ("stale", 1), ("stale", 1), 2),
    "stale still": (19, ("stale", 1), ("stale", 1), 2),
    "only if error": (20, ("miss", 2), ("stale", 1), 2),
    "only if error still": (29, ("miss", 2), ("stale", 1), 2),
    "gone": (30, ("miss", 2), ValueError, 2),
}


@pytest.mark.proves("Policy.refresh_ahead")
@pytest.mark.proves("Policy.stale_while_revalidate")
@pytest.mark.proves("Policy.stale_if_error")
@pytest.mark.parametrize("fails", [False, True], ids=["answers", "fails"])
def test_the_table(world, cache, clock, source, fails):
    for name, (age, answered, failed, asked) in ROWS.items():
        source.asked, source.error = 0, None

        @world.cached(cache(WHOLE))
        def price(sku):
            return source(sku)

        world.call(price, "a")
        clock.advance(age)
        source.error = ValueError("no") if fails else None
        expected = failed if fails else answered
        try:
            given = told(world, price, "a")
        except ValueError:
            given = ValueError
        assert given == expected, name
        until(lambda asked=asked: source.asked >= asked)
        assert source.asked == asked, name
        adds_up(price, 2)


def test_one_refresh_runs_whoever_calls(world, cache, clock, source):
    gate = Gate()

    @world.cached(cache(ttl=10, stale_while_revalidate=10))
    def price(sku):
        if source.asked:
            yield gate
        return source(sku)

    world.call(price, "a")
    clock.advance(11)
    assert [world.call(price, "a") for _ in range(5)] == [1] * 5
    gate.is_reached()
    gate.open()
    until(lambda: price.peek("a").value == 2)
    stats = adds_up(price, 6)
    assert (stats.stale, stats.refreshes, stats.computations) == (5, 1, 2)
    assert told(world, price, "a") == ("hit", 2)


@pytest.mark.proves("Policy.error_backoff")
def test_a_failed_refresh_waits_for_the_back_off(world, aged, clock, source):
    price = aged(WHOLE.replace(refresh_ahead=None), 11)
    source.error = ValueError("no")
    assert told(world, price, "a") == ("stale", 1)
    until(lambda: price.explain("a").reason == "held")
    for _ in range(3):
        assert told(world, price, "a") == ("stale", 1)
    assert source.asked == 2
    clock.advance(2)
    assert told(world, price, "a") == ("stale", 1)
    source.is_asked(3)


def test_the_old_value_is_held_after_an_error_in_the_foreground(world, aged, clock, source):
    price = aged(Policy(ttl=10, stale_if_error=60, error_backoff=5), 10)
    source.error = ValueError("no")
    assert [told(world, price, "a") for _ in range(3)] == [("stale", 1)] * 3
    assert source.asked == 2
    clock.advance(5)
    assert told(world, price, "a") == ("stale", 1)
    assert source.asked == 3
    source.error = None
    clock.advance(5)
    assert told(world, price, "a") == ("miss", 4)
    stats = adds_up(price, 6)
    assert (stats.stale, stats.misses) == (4, 2)


@pytest.mark.proves("Policy.stale_if_error_on")
def test_other_errors_are_raised(world, aged, source):
    price = aged(Policy(ttl=10, stale_if_error=60, stale_if_error_on=(OSError, KeyError)), 10)
    source.error = ValueError("no")
    with pytest.raises(ValueError):
        world.call(price, "a")
    source.error = ConnectionError("no")
    assert told(world, price, "a") == ("stale", 1)


def test_an_interrupt_is_no_reason_for_the_old_value(aged, world, source):
    price = aged(Policy(ttl=10, stale_if_error=60), 10)
    source.error = GeneratorExit()
    with pytest.raises(GeneratorExit):
        world.call(price, "a")
    source.error = None
    assert world.call(price, "a") == 3


def test_followers_are_given_the_old_value_too(world, cache, clock, source):
    gate = Gate()

    @world.cached(cache(ttl=10, stale_if_error=60))
    def price(sku):
        if source.asked:
            yield gate
        return source(sku)

    world.call(price, "a")
    clock.advance(10)
    source.error = ValueError("no")
    started = [world.start(price, "a") for _ in range(4)]
    gate.is_reached()
    until(lambda: price.stats().misses == 5)
    gate.open()
    assert [call.result(20) for call in started] == [1] * 4
    stats = adds_up(price, 5)
    assert (stats.stale, stats.misses, stats.followers) == (4, 1, 0)


@pytest.mark.proves("Policy.fallback")
@pytest.mark.parametrize("given", ["nothing", lambda error: str(error)], ids=["value", "callable"])
def test_a_fallback_stands_in_where_there_is_no_old_value(world, cache, clock, source, given):
    @world.cached(cache(ttl=10, stale_if_error=60, fallback=given))
    def price(sku):
        return source(sku)

    source.error = ValueError("nothing")
    try:
        outcome = world.call(price, "a")
    except ValueError as error:
        outcome = error
    assert outcome == "nothing"
    assert price.peek("a") is None
    source.error = None
    assert world.call(price, "a") == 2
    source.error = ValueError("nothing")
    clock.advance(10)
    assert world.call(price, "a") == 2


def test_a_fallback_that_fails_says_so_itself(world, cache, source):
    @world.cached(cache(fallback=lambda error: {}["fallback"]))
    def price(sku):
        return source(sku)

    source.error = ValueError("no")
    with pytest.raises(KeyError, match="fallback"):
        world.call(price, "a")


@pytest.mark.proves("Policy.serve_stale_next_time")
def test_the_next_call_has_the_new_value_however_old_the_first_one_was(world, aged, source):
    price = aged(Policy(ttl=10, serve_stale_next_time=True), 10**8)
    assert told(world, price, "a") == ("stale", 1)
    until(lambda: price.peek("a").status == "hit")
    assert told(world, price, "a") == ("hit", 2)


def test_xfetch_refreshes_the_earlier_the_longer_the_computation_took(cache, clock):
    @cache(ttl=100, refresh_ahead="xfetch:1")
    def quick(key):
        return key

    @cache(ttl=100, refresh_ahead="xfetch:1")
    def slow(key):
        clock.advance(50)
        return key

    for key in range(40):
        quick(key)
        assert quick.call(key).ttl == 100
    due = 0
    for key in range(200):
        slow(key)
        before = slow.stats().refreshes
        slow(key)
        due += slow.stats().refreshes - before
    # An exponential draw of mean 50 exceeds 100 for one in seven.
    assert 0 < due < 70
    assert quick.stats().refreshes == 0


def test_mark_stale_demotes(world, aged, source):
    price = aged(WHOLE, 1)
    price.mark_stale("a")
    assert price.explain("a").reason == "stale"
    assert told(world, price, "a") == ("stale", 1)
    until(lambda: price.peek("a").status == "hit")
    assert told(world, price, "a") == ("hit", 2)


@pytest.mark.parametrize("age", [9, 15, 25])
@pytest.mark.parametrize(
    "gone",
    [
        lambda cache, price: price.invalidate("a"),
        lambda cache, price: price.clear(),
        lambda cache, price: cache.clear(),
        lambda cache, price: cache.invalidate_tags("sku:a"),
    ],
    ids=["invalidate", "clear", "cache.clear", "tags"],
)
def test_what_is_invalidated_is_gone_in_every_window(world, cache, aged, source, gone, age):
    price = aged(WHOLE, age, tags=["sku:{sku}"])
    gone(cache, price)
    source.error = ValueError("no")
    with pytest.raises(ValueError):
        world.call(price, "a")


def test_an_invalidation_reaches_the_old_value_of_a_computation_that_runs(world, cache, clock, source):
    gate = Gate()

    @world.cached(cache(ttl=10, stale_if_error=60))
    def price(sku):
        if source.asked:
            yield gate
        return source(sku)

    world.call(price, "a")
    clock.advance(10)
    source.error = ValueError("no")
    started = world.start(price, "a")
    gate.is_reached()
    price.invalidate("a")
    gate.open()
    with pytest.raises(ValueError):
        started.result(20)


def test_using_takes_windows_into_account(world, aged, clock, source):
    price = aged(WHOLE, 12)

    def using(**options):
        return told(world, price.using(**options), "a")

    assert using(only_if_cached=True) == ("stale", 1)
    assert source.asked == 1
    assert using(max_age=11) == ("miss", 2)
    clock.advance(25)
    source.error = ValueError("no")
    with pytest.raises(NotCached):
        using(only_if_cached=True)
    # An old value beyond its age is none for errors either.
    with pytest.raises(ValueError):
        using(max_age=11)
    assert using(max_age=60) == ("stale", 2)


def test_get_or_compute_has_the_windows_of_the_cache(world, clock, source):
    shop = Cache(clock=clock, policy=WHOLE)

    async def compute():
        return source()

    def call():
        if world.is_async:
            return world.run(lambda: shop.aget_or_compute("a", compute)).result(20)
        return shop.get_or_compute("a", source)

    assert call() == 1
    clock.advance(8)
    assert (shop.get("a"), call()) == (1, 1)
    until(lambda: shop.get_with_meta("a").version > 1)
    source.is_asked(2)
    until(lambda: call() == 2)
    clock.advance(12)
    assert (shop.get("a"), call()) == (None, 2)
    source.is_asked(3)
    until(lambda: shop.get("a") == 3)
    source.error = ValueError("no")
    clock.advance(25)
    assert call() == 3


def test_generators_are_recorded_anew_in_the_background(cache, clock):
    runs = []

    @cache(ttl=10, stale_while_revalidate=10)
    def letters(text):
        runs.append(text)
        yield from text + str(len(runs))

    assert list(letters("ab")) == ["a", "b", "1"]
    clock.advance(11)
    assert list(letters("ab")) == ["a", "b", "1"]
    until(lambda: letters.peek("ab").status == "hit")
    assert list(letters("ab")) == ["a", "b", "2"]


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"stale_if_error": 5, "ttl": None}, "stale_if_error"),
        ({"refresh_ahead": 1.5, "ttl": 5}, "refresh_ahead"),
        ({"refresh_ahead": "soon", "ttl": 5}, "refresh_ahead"),
        ({"refresh_ahead": "xfetch:-1", "ttl": 5}, "beta"),
        ({"stale_if_error_on": [ValueError], "ttl": 5}, "stale_if_error_on"),
        ({"stale_if_error_on": (), "ttl": 5}, "stale_if_error_on"),
        ({"stale_while_revalidate": 5, "serve_stale_next_time": True, "ttl": 5}, "serve_stale_next_time"),
        ({"serve_stale_next_time": "yes", "ttl": 5}, "serve_stale_next_time"),
        ({"error_backoff": 0, "ttl": 5}, "nothing"),
        ({"error_backoff": 5, "ttl": 5}, "error_backoff does nothing"),
        ({"negative_growth": 2, "ttl": 5}, "negative_growth does nothing"),
        ({"serve_stale_next_time": True, "ttl": None}, "serve_stale_next_time does nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused_at_once(keywords, named):
    with pytest.raises(ValueError, match=named):
        Policy(**keywords)


def test_explain_tells_what_lies_before_an_entry(world, aged, clock, source):
    price = aged(WHOLE, 3, soft_timeout=1, hard_timeout=5, wait_timeout=7)

    def ahead():
        told = price.explain("a")
        return told.reason, told.refresh_in, told.stale_for, told.fallback_for, told.retry_in

    assert ahead() == ("fresh", 5, 17, 27, None)
    assert "from 5 s on a call computes it anew behind" in str(price.explain("a"))
    told = price.explain("a")
    assert (told.soft_timeout, told.hard_timeout, told.wait_timeout) == (1, 5, 7)
    assert (told.tiers, told.schema) == (("memory",), None)
    clock.advance(6)
    assert ahead() == ("fresh", 0, 11, 21, None), "a refresh is due"
    clock.advance(3)
    assert ahead() == ("stale", 0, 8, 18, None)
    source.error = ValueError("no")
    assert world.call(price, "a") == 1
    until(lambda: price.explain("a").reason == "held")
    assert ahead() == ("held", 0, 8, 18, 2)
    assert "the next attempt comes in 2 s" in str(price.explain("a"))
    clock.advance(8)
    assert ahead() == ("stale_if_error", 0, 0, 10, None)
    clock.advance(10)
    assert ahead() == ("expired", None, None, None, None)
    assert price.explain("b").stale_for is None


def test_an_entry_without_windows_has_nothing_before_it(world, aged):
    told = aged(Policy(ttl=10), 3).explain("a")
    assert (told.refresh_in, told.stale_for, told.fallback_for, told.retry_in) == (None,) * 4
    assert (told.soft_timeout, told.hard_timeout, told.wait_timeout) == (None, None, 30)


def test_the_error_of_a_refresh_is_told(world, clock, source):
    told = []

    @world.cached(Cache(clock=clock, on_background_error=told.append)(WHOLE))
    def price(sku):
        return source(sku)

    world.call(price, "a")
    clock.advance(10)
    source.error = ValueError("no")
    assert world.call(price, "a") == 1
    until(lambda: told)
    assert told == [source.error]

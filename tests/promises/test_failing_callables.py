"""The cache never breaks the function: when a policy's callable raises, the value is returned nevertheless.

The failure is counted each time and logged once.
"""

from __future__ import annotations

import logging

import pytest
from everwarm import ConfigError
from worlds import adds_up


def failing(kind):
    """A callable that always raises, an error of a class of its own, so that the log has not seen it."""
    error = type(f"Broken{kind.title().replace('_', '')}", (Exception,), {})

    def broken(*args, **kwargs):
        raise error("broken")

    return broken, error


def warnings(caplog, error):
    return [record for record in caplog.records if record.exc_info and isinstance(record.exc_info[1], error)]


@pytest.mark.parametrize("keyword", ["when", "tags", "tags_from_result"])
def test_a_callable_that_raises_costs_the_entry_not_the_value(world, cache, caplog, keyword):
    broken, error = failing(keyword)

    @world.cached(cache(**{keyword: broken}))
    def load(key):
        return [key]

    with caplog.at_level(logging.WARNING, "everwarm"):
        assert [world.call(load, 1) for _ in range(3)] == [[1]] * 3
    assert load.peek(1) is None
    stats = adds_up(load, 3)
    assert (stats.computations, stats.errors, stats.entries, stats.refused) == (3, 3, 0, 0)
    (record,) = warnings(caplog, error)
    assert record.levelno == logging.WARNING and record.name == "everwarm"
    assert f"{keyword}= raised {error.__name__}" in record.getMessage() and "\nhint: " in record.getMessage()


def test_a_callable_that_raises_on_refresh_leaves_the_entry_as_it_was(world, cache):
    fine = [True]

    def when(value):
        if not fine:
            raise LookupError("when")
        return True

    @world.cached(cache(when=when))
    def load(key):
        return object()

    first = world.call(load, 1)
    fine.clear()
    second = world.call(load.refresh, 1)
    assert second is not first
    assert load.peek(1).value is first
    assert load.stats().errors == 1


@pytest.mark.parametrize("tags", ["one text", 3, [3], None], ids=repr)
@pytest.mark.parametrize("keyword", ["tags", "tags_from_result"])
def test_a_callable_that_gives_no_texts_is_an_error_of_its_own(world, cache, keyword, tags):
    @world.cached(cache(**{keyword: lambda value: tags}))
    def load(key):
        return key

    assert world.call(load, 1) == 1
    assert load.stats().errors == 1 and load.peek(1) is None


def test_a_tag_template_that_cannot_be_filled_costs_the_entry(world, cache):
    @world.cached(cache(tags=["user:{user.id}"]))
    def load(user):
        return user

    assert world.call(load, 3) == 3
    assert load.stats().errors == 1 and load.peek(3) is None


@pytest.mark.parametrize("keyword", ["tags", "tags_from_result"])
def test_prime_raises_what_a_callable_raises(cache, keyword):
    broken, error = failing(f"prime {keyword}")
    load = cache(**{keyword: broken})(lambda key: key)
    with pytest.raises(error):
        load.prime(1, 1)
    assert load.peek(1) is None


def test_a_value_that_cannot_be_asked_is_returned(world, cache):
    """`when` may give something whose truth raises."""

    class Undecided:
        def __bool__(self):
            raise TypeError("neither")

    @world.cached(cache(when=lambda value: Undecided()))
    def load(key):
        return key

    assert world.call(load, 1) == 1
    assert load.stats().errors == 1


def test_a_key_callable_that_raises_raises_at_the_call(world, cache):
    broken, error = failing("key")

    @world.cached(cache(key=broken))
    def load(key):
        raise AssertionError("never called")

    with pytest.raises(error):
        world.call(load, 1)
    for verb in (load.peek, load.invalidate, load.key):
        with pytest.raises(error):
            verb(1)
    assert load.stats().computations == 0


def test_tags_of_a_primed_value_are_checked(cache):
    load = cache(tags_from_result=lambda value: "text")(lambda key: key)
    with pytest.raises(ConfigError, match="tags(.|\n)*hint:"):
        load.prime(1, 1)

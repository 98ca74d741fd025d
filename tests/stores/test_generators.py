"""What generators have yielded, in stores: others replay it, by a fresh iterator for each call."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everwarm import Policy
from everwarm.testing import assert_computed
from worlds import until


@pytest.fixture(params=[False, True], ids=["generator", "asynchronous"])
def recorded(request):
    """A generator function of either kind over a function that gives items."""

    def of(body):
        if request.param:

            async def letters(text):
                for item in body(text):
                    yield item

        else:

            def letters(text):
                yield from body(text)
                return len(text)

        return letters

    return of


def whole(stream):
    return asyncio.run(_listed(stream)) if hasattr(stream, "__anext__") else list(stream)


async def _listed(stream):
    return [item async for item in stream]


def never(text):
    raise AssertionError("it is stored")


LETTERS = Policy(name="letters", ttl=60, depends_on="nothing", tags=["letters"])


@pytest.mark.parametrize("format", ["msgpack", "json", "pickle"])
def test_another_process_replays_it(place, recorded, format):
    if format == "pickle" and place.kind in ("memory", "redis", "memcached", "http"):
        pytest.skip("a store of one's own may be written by others")
    here, there = (place.cache(format=format) for _ in range(2))
    mine, theirs = here(LETTERS)(recorded(list)), there(LETTERS)(recorded(never))
    assert whole(mine("abc")) == ["a", "b", "c"]
    assert theirs.peek("abc").tier == place.kind and theirs.peek("abc").value == ("a", "b", "c")
    with assert_computed(theirs, 0):
        for _ in range(2):
            assert whole(theirs("abc")) == ["a", "b", "c"]
    assert theirs.stats().hits == 2
    here.invalidate_tags("letters")
    assert mine.peek("abc") is None


def test_a_fresh_iterator_for_each_call_and_what_it_returned(place):
    def letters(text):
        yield from text
        return len(text)

    here, there = (place.cache(memory=False)(LETTERS)(letters) for _ in range(2))
    assert list(here("ab")) == ["a", "b"]
    one, other = there("ab"), there("ab")
    assert (next(one), next(other), next(one)) == ("a", "a", "b")
    with pytest.raises(StopIteration) as end:
        next(one)
    assert end.value.value == 2 and there.stats().hits == 2


def test_what_is_not_exhausted_is_not_stored(place, recorded):
    here, there = (place.cache(memory=False)(LETTERS)(recorded(list)) for _ in range(2))
    stream = here("abc")
    if hasattr(stream, "__anext__"):

        async def begin():
            await stream.__anext__()
            await stream.aclose()

        asyncio.run(begin())
    else:
        next(stream)
        stream.close()
    assert there.peek("abc") is None
    assert whole(there("abc")) == ["a", "b", "c"] == whole(here("abc"))


def test_more_than_max_items_stay_out(place, recorded):
    policy = LETTERS.replace(max_items=2)
    here, there = (place.cache(memory=False)(policy)(recorded(list)) for _ in range(2))
    assert whole(here("abc")) == whole(there("abc")) == ["a", "b", "c"]
    assert here.stats().refused == there.stats().refused == 1
    assert whole(here("ab")) == whole(there("ab")) == ["a", "b"] and there.stats().hits == 1


def test_one_records_and_the_other_process_waits(place):
    begun, goes_on, results = threading.Event(), threading.Event(), []

    def letters(text):
        begun.set()
        assert goes_on.wait(20)
        yield from text

    here, there = (place.cache()(LETTERS)(letters) for _ in range(2))
    threads = [threading.Thread(target=lambda of=of: results.append(list(of("ab")))) for of in (here, there)]
    threads[0].start()
    assert begun.wait(20)
    threads[1].start()
    goes_on.set()
    for thread in threads:
        thread.join(20)
    assert results == [["a", "b"]] * 2 and there.stats().computations == 0


def test_prime_and_upgrade(place, recorded):
    here = place.cache(memory=False)(LETTERS)(recorded(never))
    here.prime(iter("xy"), "abc")
    upgrade = LETTERS.replace(version="2", upgrade={"": lambda items: [item.upper() for item in items]})
    there = place.cache(memory=False)(upgrade)(recorded(never))
    assert whole(there("abc")) == ["X", "Y"]


def test_items_that_no_store_can_have_stay_in_memory(place, recorded):
    made = object()
    here = place.cache()(LETTERS)(recorded(lambda text: [made]))
    # Memory in front of a far store is emptied once, when it first hears of the others.
    until(lambda: whole(here("a")) == [made] and here.stats().hits == 1)
    assert here.stats().refused == here.stats().computations
    assert here.stats().computations == 1 or place.kind in ("redis", "http")


def test_a_function_that_returns_a_list_has_other_entries(place, recorded):
    lists = place.cache(memory=False)(LETTERS)(lambda text: [[text], 1])
    letters = place.cache(memory=False)(LETTERS)(recorded(list))
    assert lists("a") == [["a"], 1] and whole(letters("a")) == ["a"]
    assert lists("a") == [["a"], 1] and letters.key("a") != lists.key("a")


def test_other_bytes_are_no_items(place, recorded):
    plain = (lambda value: b"1", lambda data: 1)
    here = place.cache(memory=False)(LETTERS, format=plain)(recorded(list))
    with assert_computed(here, 2):
        assert whole(here("a")) == whole(here("a")) == ["a"]
    assert here.stats().hits == 0

"""What the tasks of one loop read in one of its turns is one question, and each is answered for itself."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from urllib.parse import urlsplit

import pytest
from everwarm import Cache, Keyring, StoreError, Tier
from everwarm.testing import open_store
from servers import emptied, needed

pytestmark = pytest.mark.timeout(60)

KEY = "1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"


@pytest.fixture
def url():
    return emptied(needed("EVERWARM_TEST_REDIS"), "turns")


@pytest.fixture
def far(url):
    """A cache without memory, each of whose reads goes to the server."""
    with Cache([url], namespace="turns") as cache:
        yield cache


def reads(url):
    """How many reads of entries with their markers a server has done."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(b"INFO commandstats\r\nPING\r\n")
        said = b""
        while not said.endswith(b"+PONG\r\n"):
            said += line.recv(65536)
    counted = re.search(rb"cmdstat_mget:calls=(\d+)", said)
    return int(counted[1]) if counted else 0


def test_reads_of_one_turn_are_one_question(url, far):
    keys = [f"k{number}" for number in range(100)]
    far.set_many({key: key.upper() for key in keys})

    async def main():
        assert await far.aget("k0") == "K0"
        before = reads(url)
        found = await asyncio.gather(*map(far.aget, [*keys, "nobody"]))
        return found, reads(url) - before

    found, asked = asyncio.run(main())
    assert found == [key.upper() for key in keys] + [None]
    # Other tests may ask the same server.
    assert 1 <= asked <= 20
    stats = far.stats()
    assert (stats.hits, stats.misses) == (101, 1)


def test_a_lot_of_reads_leaves_before_the_turn_is_over(url, far):
    keys = [f"k{number}" for number in range(40)]
    far.set_many({key: key.upper() for key in keys})

    async def main():
        assert await far.aget("k0") == "K0"
        before = reads(url)

        async def stands_still():
            limit = time.monotonic() + 20
            while (asked := reads(url) - before) == 0 and time.monotonic() < limit:
                time.sleep(0.01)
            return asked

        return await asyncio.gather(*map(far.aget, keys), stands_still())

    *found, asked = asyncio.run(main())
    assert found == [key.upper() for key in keys]
    assert asked >= 1


def test_lots_that_are_answered_at_once_are_given_to_who_asked():
    nowhere = Tier("redis://127.0.0.1:1/0?timeout=1s", timeout="1s")
    with Cache([nowhere], namespace="turns") as cache:

        async def main():
            return await asyncio.gather(*(cache.aget(f"k{number}", number) for number in range(100)))

        # Soon nobody is asked any more: the store is known not to answer.
        for _ in range(5):
            assert asyncio.run(main()) == list(range(100))
        assert cache.tiers()[0].unasked


@pytest.fixture
def double(far):
    """A function whose calls all look there, and which notes what it computes."""
    computed = []

    @far(ttl=600, name="double", depends_on="nothing")
    async def double(x):
        computed.append(x)
        await asyncio.sleep(0.01)
        if x < 0:
            raise ValueError(x)
        return 2 * x

    double.computed = computed
    return double


def test_first_looks_of_calls_in_one_turn_are_one_question(url, double):
    async def main():
        first = await asyncio.gather(*map(double, range(100)))
        assert sorted(double.computed) == list(range(100))
        before = reads(url)
        found = await asyncio.gather(*map(double, range(100)))
        return first, found, reads(url) - before

    first, found, asked = asyncio.run(main())
    assert first == found == [2 * x for x in range(100)]
    assert len(double.computed) == 100
    assert 1 <= asked <= 20
    stats = double.stats()
    assert (stats.calls, stats.hits, stats.misses, stats.computations) == (200, 100, 100, 100)


def test_a_call_that_looks_with_others_leads_waits_or_fails_by_itself(double):
    async def main():
        calls = [double(x) for x in (1, 2, 2, -3, -3, 4)]
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert others[:2] == [4, 4] and others[-1] == 8
    assert [type(error) for error in others[2:4]] == [ValueError] * 2
    assert sorted(double.computed) == [-3, 2, 4]
    assert asyncio.run(double(1)) == 2, "nobody waits for who has left"


def test_calls_of_two_loops_look_each_for_itself(double):
    async def main():
        return await asyncio.gather(*map(double, range(20)))

    assert asyncio.run(main()) == asyncio.run(main()) == [2 * x for x in range(20)]
    assert sorted(double.computed) == list(range(20))


def test_an_old_value_that_stands_for_errors_is_there_when_it_is_needed(far):
    fails = []

    @far(ttl=0.2, stale_if_error=60, name="rates", depends_on="nothing")
    async def rates(x):
        if fails:
            raise ConnectionError
        return x

    async def main():
        first = await asyncio.gather(*map(rates, range(5)))
        await asyncio.sleep(0.3)
        fails.append(1)
        return first, await asyncio.gather(*map(rates, range(5)))

    first, after = asyncio.run(main())
    assert first == after == list(range(5))


def test_a_task_that_is_cancelled_leaves_the_others_their_values(far):
    far.set_many({"a": 1, "b": 2, "c": 3})

    async def main():
        tasks = [asyncio.ensure_future(far.aget(key, 0)) for key in ("a", "b", "c", "d")]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *others = asyncio.run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert others == [2, 3, 0]


def test_a_loop_that_stops_in_a_turn_holds_up_no_other(far):
    far.set("a", 1)

    async def left():
        reading = asyncio.ensure_future(far.aget("a"))
        await asyncio.sleep(0)
        reading.cancel()

    for _ in range(3):
        asyncio.run(left())
        assert asyncio.run(far.aget("a")) == 1
    assert far.get("a") == 1


def test_caches_of_one_loop_do_not_mix(url, far):
    with Cache([url], namespace="turns-other") as other:
        far.set("a", 1)
        other.set("a", 2)

        async def main():
            return await asyncio.gather(far.aget("a"), other.aget("a"), far.aget("b", 3), other.aget("b", 4))

        assert asyncio.run(main()) == [1, 2, 3, 4]


def test_a_tampered_entry_is_raised_to_who_asked_for_it_alone(url):
    # A database of its own, since a keyring hides the names.
    place = urlsplit(url)._replace(path="/9").geturl()
    store = open_store(place)
    store.clear("")
    with Cache([place], namespace="turns", keyring=Keyring(KEY), on_tamper="raise") as cache:
        cache.set("spoilt", 1)
        (name,) = store.scan()[0]
        envelope, *_ = store.get(name)
        store.set(name, envelope[:-1] + bytes([envelope[-1] ^ 1]), 60.0)
        cache.set("sound", 2)

        async def both():
            reads = (cache.aget("spoilt"), cache.aget("sound"))
            return await asyncio.gather(*reads, return_exceptions=True)

        spoilt, sound = asyncio.run(both())
        assert isinstance(spoilt, StoreError) and spoilt.kind == "tampered"
        assert sound == 2
    store.close()


def test_a_tampered_value_of_a_function_is_raised_to_its_callers_alone(url):
    place = urlsplit(url)._replace(path="/9").geturl()
    store = open_store(place)
    store.clear("")
    with Cache([place], namespace="turns", keyring=Keyring(KEY), on_tamper="raise") as cache:

        @cache(ttl=600, name="double", depends_on="nothing")
        async def double(x):
            return 2 * x

        async def both():
            return await asyncio.gather(double(1), double(2), return_exceptions=True)

        assert asyncio.run(double(1)) == 2
        (name,) = store.scan()[0]
        envelope, *_ = store.get(name)
        store.set(name, envelope[:-1] + bytes([envelope[-1] ^ 1]), 60.0)
        assert asyncio.run(double(2)) == 4
        spoilt, sound = asyncio.run(both())
        assert isinstance(spoilt, StoreError) and spoilt.kind == "tampered"
        assert sound == 4
    store.close()

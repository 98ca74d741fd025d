"""A loop looks for an answer on a connection of its own before it sleeps, where that is quicker."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest
from everwarm import Cache, Tier, _bell
from everwarm.testing import FaultProxy
from servers import emptied, needed

pytestmark = pytest.mark.timeout(120)

# Of so many answers one is waited for in the way that took longer of late.
TRIED = 64
# More than a loop can look in the time that it looks for one answer.
MOST = 300


@pytest.fixture
def url():
    return emptied(needed("EVERWARM_TEST_REDIS"), "looks")


def opened(url):
    """A cache without memory, each of whose reads goes to the server, and waits long on a loaded machine."""
    far = Cache([Tier(f"{url}?timeout=5s", timeout="5s")], namespace="looks")
    far.set("a", 1)
    return far


def looks():
    """How often the running loop has looked."""
    return _bell.here()[1].looks


async def its_own(far):
    """Asks until the loop has a connection of its own, on which both ways are tried."""
    end = time.monotonic() + 60
    while not looks():
        assert time.monotonic() < end
        assert await far.aget("a") == 1


def loops():
    """The loops that read sockets."""
    yield pytest.param(asyncio.new_event_loop, id="asyncio")
    with contextlib.suppress(ImportError):
        import uvloop

        yield pytest.param(uvloop.new_event_loop, id="uvloop")


@pytest.fixture(params=loops())
def loop(request):
    made = request.param()
    yield made
    made.close()


def test_a_loop_looks_and_is_given_values_and_cancelled_as_ever(loop, url):
    async def main(far):
        await its_own(far)
        found = [await far.aget("a") for _ in range(2 * TRIED)]
        reading = asyncio.ensure_future(far.aget("a"))
        await asyncio.sleep(0)
        reading.cancel()
        (error,) = await asyncio.gather(reading, return_exceptions=True)
        together = await asyncio.gather(*(far.aget("a") for _ in range(64)))
        return found, type(error), together

    with opened(url) as far:
        found, error, together = loop.run_until_complete(main(far))
        assert (found, error, together) == ([1] * 2 * TRIED, asyncio.CancelledError, [1] * 64)
        assert loop.run_until_complete(far.aget("a")) == 1


def test_what_else_a_loop_has_to_do_runs_between_its_looks(loop, url):
    """A loop does all that is due before it comes back to a callback that has itself called again."""

    async def main(far):
        await its_own(far)
        turns, before, is_over = 0, looks(), False

        def turn():
            nonlocal turns
            turns += 1
            if not is_over:
                loop.call_soon(turn)

        turn()
        for _ in range(2 * TRIED):
            await far.aget("a")
        is_over = True
        return turns, looks() - before

    with opened(url) as far:
        turns, looked = loop.run_until_complete(main(far))
        # A look that finds an answer may be followed by another one in the same turn of the loop.
        assert 0 < looked <= turns + 2 * TRIED


def test_a_loop_does_not_look_for_what_comes_late(url):
    async def main(far):
        await its_own(far)
        before = looks()
        for _ in range(4 * TRIED):
            await far.aget("a")
        return looks() - before

    with FaultProxy(url) as proxy, opened(proxy.url) as far:
        proxy.delay("2ms", way="down")
        assert asyncio.run(main(far)) <= 6 * MOST


def test_a_loop_that_was_stopped_while_it_looked_goes_on(url):
    async def stopped(far):
        await its_own(far)
        reading = asyncio.ensure_future(far.aget("a"))
        await asyncio.sleep(0)
        return reading

    with opened(url) as far:
        loop = asyncio.new_event_loop()
        for _ in range(8):
            reading = loop.run_until_complete(stopped(far))
            time.sleep(0.001)
            assert loop.run_until_complete(reading) == 1
        before = loop.run_until_complete(its_count())
        for _ in range(4 * TRIED):
            assert loop.run_until_complete(far.aget("a")) == 1
        assert loop.run_until_complete(its_count()) > before
        loop.close()
        asyncio.run(its_own(far))


async def its_count():
    return looks()

"""A loop that has asked a server for a while reads a connection of its own, whatever befalls it."""

from __future__ import annotations

import asyncio
import contextvars
import os
import socket
import time
import warnings
from urllib.parse import urlsplit

import pytest
from everwarm import Cache
from servers import emptied, needed

pytestmark = pytest.mark.timeout(120)

var = contextvars.ContextVar("var")


class Watched(asyncio.SelectorEventLoop):
    """Knows which descriptors it reads for us: the bell's, and those of connections of its own."""

    def __init__(self):
        self.read, self.left = [], []
        super().__init__()

    def add_reader(self, descriptor, function, *args):
        self.read.append(descriptor)
        super().add_reader(descriptor, function, *args)

    def remove_reader(self, descriptor):
        self.left.append(descriptor)
        return super().remove_reader(descriptor)

    @property
    def own(self):
        return [number for number in self.read[1:] if self.left.count(number) < self.read.count(number)]


@pytest.fixture
def url():
    return emptied(needed("EVERWARM_TEST_REDIS"), "own")


@pytest.fixture
def far(url):
    """A cache without memory, each of whose reads goes to the server."""
    with Cache([url], namespace="own") as cache:
        cache.set_many({"a": 1, "b": 2})
        yield cache


@pytest.fixture
def loop():
    made = Watched()
    yield made
    made.close()


async def its_own(loop, far):
    """Asks until the loop has a connection of its own; its descriptor."""
    end = time.monotonic() + 60
    while not loop.own:
        assert time.monotonic() < end
        await far.aget("a")
    assert await far.aget("a") == 1
    (descriptor,) = loop.own
    return descriptor


def name(descriptor):
    """What the server calls the client at the other end of a descriptor."""
    own = socket.socket(fileno=os.dup(descriptor))
    host, port = own.getsockname()[:2]
    own.close()
    return f"{host}:{port}"


def kill(url, client):
    """Has the server end a connection; whether there was one."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(f"CLIENT KILL ADDR {client}\r\n".encode())
        return line.recv(64) == b":1\r\n"


def is_known(url, client):
    """Whether the server has a client of that name."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname, place.port)) as line:
        line.sendall(b"CLIENT LIST\r\nPING\r\n")
        said = b""
        while not said.endswith(b"+PONG\r\n"):
            said += line.recv(65536)
    return f" addr={client} ".encode() in said


def test_a_task_is_given_values_and_cancelled_as_by_any_future(loop, far):
    async def one(key):
        var.set(key)
        found = [await far.aget(key, 0) for _ in range(100)]
        return found == found[:1] * 100, found[0], var.get()

    async def main():
        await its_own(loop, far)
        given = await asyncio.gather(*(one(key) for key in ("a", "b", "nobody")))
        tasks = [asyncio.ensure_future(far.aget(key)) for key in ("a", "b")]
        await asyncio.sleep(0)
        tasks[0].cancel()
        first, second = await asyncio.gather(*tasks, return_exceptions=True)
        many = await far.aget_many(["a", "b", "nobody"])
        await far.aset("c", 3)
        return given, (type(first), second), many, await asyncio.wait_for(far.aget("c"), 30)

    given, cancelled, many, last = loop.run_until_complete(main())
    assert given == [(True, 1, "a"), (True, 2, "b"), (True, 0, "nobody")]
    assert cancelled == (asyncio.CancelledError, 2)
    assert (many, last) == ({"a": 1, "b": 2}, 3)
    assert len(loop.own) == 1


def test_one_that_is_lost_is_let_go_of_and_made_anew(loop, far, url):
    async def main():
        first = await its_own(loop, far)
        assert kill(url, name(first))
        end = time.monotonic() + 60
        while loop.left.count(first) == 0 or not loop.own:
            assert time.monotonic() < end
            await far.aget("a")
        return await far.aget("a")

    assert loop.run_until_complete(main()) == 1


def test_one_that_is_lost_while_the_loop_stands_still_is_not_asked_on(loop, far, url):
    descriptor = loop.run_until_complete(its_own(loop, far))
    assert kill(url, name(descriptor))
    time.sleep(0.05)
    assert loop.run_until_complete(far.aget("a")) == 1
    assert far.stats().misses == 0


def test_what_came_while_the_loop_stood_still_is_no_miss(loop, far):
    async def main():
        await its_own(loop, far)
        found = []
        for _ in range(3):
            reading = asyncio.ensure_future(far.aget("a"))
            for _ in range(3):
                await asyncio.sleep(0)
            time.sleep(0.3)  # longer than a store is waited for
            found.append(await reading)
        return found

    assert loop.run_until_complete(main()) == [1, 1, 1]


def test_a_loop_that_stops_in_the_middle_goes_on_later(loop, far):
    async def stopped():
        await its_own(loop, far)
        reading = asyncio.ensure_future(far.aget("b"))
        await asyncio.sleep(0)
        return reading

    for _ in range(3):
        reading = loop.run_until_complete(stopped())
        assert asyncio.run(far.aget("a")) == far.get("a") == 1
        assert loop.run_until_complete(reading) == 2


def test_who_ends_the_loop_holds_nobody_else_up(loop, far):
    async def ends():
        await far.aget("a")
        raise KeyboardInterrupt

    async def main():
        await its_own(loop, far)
        others = [asyncio.ensure_future(far.aget(key)) for key in ("a", "b")]
        ending = asyncio.ensure_future(ends())
        others.extend(asyncio.ensure_future(far.aget(key)) for key in ("a", "b"))
        told.extend([others, ending])
        await asyncio.sleep(60)

    told = []
    with pytest.raises(KeyboardInterrupt):
        loop.run_until_complete(main())
    others, ending = told
    assert loop.run_until_complete(asyncio.gather(*others)) == [1, 2, 1, 2]
    assert isinstance(ending.exception(), KeyboardInterrupt)
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))


def test_a_cache_that_is_closed_takes_its_connection_along(loop, url):
    async def main():
        async with Cache([url], namespace="own") as far:
            await far.aset("a", 1)
            descriptor = await its_own(loop, far)
        end = time.monotonic() + 60
        while descriptor not in loop.left:
            assert time.monotonic() < end
            await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    assert not loop.own


def test_a_loop_that_is_over_keeps_none(loop, far, url):
    client = name(loop.run_until_complete(its_own(loop, far)))
    assert is_known(url, client)
    loop.close()
    end = time.monotonic() + 60
    while is_known(url, client):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert asyncio.run(far.aget("a")) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_leaves_it_to_its_parent(loop, far):
    async def main():
        descriptor = await its_own(loop, far)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = 1
            try:
                found = [far.get("a")]
                asyncio._set_running_loop(None)
                own = Watched()
                found.append(own.run_until_complete(far.aget("b")))
                own.run_until_complete(its_own(own, far))
                own.close()
                status = found != [1, 2]
            finally:
                os._exit(status)
        found = [await far.aget("b") for _ in range(100)]
        _, status = os.waitpid(child, 0)
        found.append(await far.aget("b"))
        return os.waitstatus_to_exitcode(status), found == [2] * 101, loop.own == [descriptor]

    assert loop.run_until_complete(main()) == (0, True, True)

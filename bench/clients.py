"""The ways to ask Redis that are compared, each set up as its own documentation says; keys are texts.

Of Everwarm the store alone takes part, `Cache([url])`: each get goes to the server, through all of the
library. The clients bring the bytes and nothing else; what caches do besides is said with them. Caches have
databases of their own.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from peers import LeftOut
from servers import Server

TTL = 3_600
CONNECTIONS = 1_000
PATIENCE = "5s"
BASE = "redis-py with hiredis"
EVERWARM = "everwarm"
BARE = "a bare socket"


@dataclass(frozen=True)
class Asked:
    """An open client: the expressions that read key `x`, many keys `x`, and write `value` under `x`.

    Those of an awaited client are awaited; `close` gives an awaitable then.
    """

    names: dict[str, Any]
    close: Callable[[], Any]
    get: str = "get(x)"
    get_many: str = ""
    put: str = "put(x, value)"


@dataclass(frozen=True)
class Client:
    """One library: the module it takes, how it is opened, and what it does besides."""

    name: str
    module: str
    open: Callable[[Any, Server], Any]
    more: str = field(default="")

    def library(self) -> Any:
        """Import it, or leave it out with the reason."""
        try:
            return import_module(self.module)
        except Exception as error:
            raise LeftOut(f"cannot be imported: {error}") from error


def _cache(library: Any, server: Server) -> Any:
    """Return a cache that waits for its store as long as the clients do: on a busy machine too."""
    tier = library.Tier(f"{server.url}?timeout={PATIENCE}", timeout=PATIENCE)
    return library.Cache([tier], namespace="bench", policy=library.Policy(ttl=TTL))


def _everwarm(library: Any, server: Server) -> Asked:
    cache = _cache(library, server)
    return Asked(
        {"get": cache.get, "many": cache.get_many, "put": cache.set}, cache.close, get_many="many(x)"
    )


def _redis(library: Any, server: Server) -> Asked:
    client = library.Redis.from_url(server.url)
    insist_on_hiredis()
    return Asked(
        {"get": client.get, "many": client.mget, "put": client.set, "ttl": TTL},
        client.close,
        get_many="many(x)",
        put="put(x, value, ex=ttl)",
    )


def insist_on_hiredis() -> None:
    """Leave redis-py out where it would parse replies in Python."""
    if not import_module("redis.utils").HIREDIS_AVAILABLE:
        raise LeftOut("hiredis is not installed")


def _glide(library: Any, server: Server) -> Asked:
    place = library.NodeAddress(server.host, server.port)
    client = library.GlideClient.create(library.GlideClientConfiguration([place]))
    return Asked(
        {"get": client.get, "many": client.mget, "put": client.set}, client.close, get_many="many(x)"
    )


def _dogpile(library: Any, server: Server) -> Asked:
    region = library.make_region().configure(
        "dogpile.cache.redis", expiration_time=TTL, arguments={"url": server.database(1)}
    )
    return Asked({"get": region.get, "put": region.set}, lambda: None)


def _cachine(library: Any, server: Server) -> Asked:
    cache = library.RedisCache(host=server.host, port=server.port, db=2)
    return Asked({"get": cache.get, "put": cache.set, "ttl": TTL}, cache.close, put="put(x, value, ttl=ttl)")


def _cachekit(library: Any, server: Server) -> Asked:
    backend = library.RedisBackend(redis_url=server.database(3))
    names = {"get": backend.get, "put": backend.set, "ttl": TTL}
    return Asked(names, lambda: None, put="put(x, value, ttl=ttl)")


class _Bare:
    """A socket that sends `GET` and receives the reply, of which it knows what it looks like.

    No client that sleeps can be faster: what it takes is system calls, two wake-ups, and the server.
    """

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection((server.host, server.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get(self, key: str) -> bytes:
        self._socket.sendall(b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(key), key.encode()))
        reply = self._reply()
        return reply[reply.index(b"\n") + 1 : -2]

    def put(self, key: str, value: bytes) -> None:
        words = b"$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(key), key.encode(), len(value), value)
        self._socket.sendall(b"*3\r\n$3\r\nSET\r\n" + words)
        self._reply()

    def _reply(self) -> bytes:
        return self._socket.recv(4096)

    def close(self) -> None:
        self._socket.close()


class _Looking(_Bare):
    """The same that looks for the reply until it is there, and gives way to others meanwhile."""

    def _reply(self) -> bytes:
        while True:
            try:
                return self._socket.recv(4096, socket.MSG_DONTWAIT)
            except BlockingIOError:
                os.sched_yield()


def _bare(_: Any, server: Server) -> Asked:
    return _opened(_Bare(server))


def _looking(_: Any, server: Server) -> Asked:
    return _opened(_Looking(server))


def _opened(bare: _Bare) -> Asked:
    return Asked({"get": bare.get, "put": bare.put}, bare.close)


# Awaited.


async def _everwarm_awaited(library: Any, server: Server) -> Asked:
    cache = _cache(library, server)
    names = {"get": cache.aget, "many": cache.aget_many, "put": cache.aset}
    return Asked(names, cache.aclose, get_many="many(x)")


async def _redis_awaited(library: Any, server: Server) -> Asked:
    insist_on_hiredis()
    # One for each task, as there would be without a bound.
    client = library.Redis.from_url(server.url, max_connections=CONNECTIONS)
    return Asked(
        {"get": client.get, "many": client.mget, "put": client.set, "ttl": TTL},
        client.aclose,
        get_many="many(x)",
        put="put(x, value, ex=ttl)",
    )


async def _glide_awaited(library: Any, server: Server) -> Asked:
    place = library.NodeAddress(server.host, server.port)
    client = await library.GlideClient.create(library.GlideClientConfiguration([place]))
    return Asked(
        {"get": client.get, "many": client.mget, "put": client.set}, client.close, get_many="many(x)"
    )


async def _coredis(library: Any, server: Server) -> Asked:
    client = library.Redis.from_url(server.url)
    await client.__aenter__()

    async def close() -> None:
        """Leave it open: only the task that opened it could close it."""

    names = {"get": client.get, "many": client.mget, "put": client.set}
    return Asked(names, close, get_many="many(x)")


CLIENTS: tuple[Client, ...] = (
    Client(EVERWARM, "everwarm", _everwarm),
    Client(BASE, "redis", _redis),
    Client(
        BARE,
        "socket",
        _bare,
        "is no client: it knows the reply, and shows what none that sleeps can go below",
    ),
    Client(f"{BARE} that looks", "socket", _looking, "is the same that never sleeps"),
    Client("valkey-glide", "glide_sync", _glide),
    Client("dogpile.cache", "dogpile.cache", _dogpile, "makes values by pickle"),
    Client("cachine's RedisCache", "cachine", _cachine, "makes values by JSON or pickle"),
    Client("cachekit's RedisBackend", "cachekit.backends.redis", _cachekit, "without the decorator"),
)

AWAITED: tuple[Client, ...] = (
    Client(EVERWARM, "everwarm", _everwarm_awaited),
    Client(BASE, "redis.asyncio", _redis_awaited),
    Client("valkey-glide", "glide", _glide_awaited),
    Client("coredis", "coredis", _coredis),
)

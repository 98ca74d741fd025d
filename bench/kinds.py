"""The kinds of stores whose costs are measured: how each is reached, and which clients are usual for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import alone
import alone_awaited
from alone import Client, Room
from calls import TIMEOUT
from servers import started
from stored import SCRATCH

Told = Mapping[str, str]


@dataclass(frozen=True)
class Place:
    """Where a store is reached, and what stands in for its server, if anything does."""

    url: str
    stand_in: str = ""


@dataclass(frozen=True)
class Kind:
    """A kind of stores: how one is reached, what URL it has of our own, and its usual clients."""

    title: str
    reached: Callable[[Told], AbstractContextManager[Place]]
    own: Callable[[Room], str]
    clients: tuple[Client, ...]


def _server(kind: str, variable: str) -> Callable[[Told], AbstractContextManager[Place]]:
    """Say how a server is reached: the one that was told of, or else one of our own."""

    @contextmanager
    def reached(told: Told) -> Iterator[Place]:
        with ExitStack() as ending:
            if variable not in told:
                told = ending.enter_context(started(kind))
            # Keys that a URL names; to a cache, what begins with its own name is a setting.
            os.environ.update({name: said for name, said in told.items() if not name.startswith("EVERWARM_")})
            yield Place(told[variable], _stand_in(kind, told[variable], told))

    return reached


def _stand_in(kind: str, url: str, told: Told) -> str:
    """Return what stands in for a server, where `scripts/servers` has started it."""
    words = Path(told.get("EVERWARM_TEST_SERVERS", ""), kind, "one", "words")
    if kind == "mongodb" and words.is_file() and "mongodb_gateway" in words.read_text():
        return "DocumentDB on PostgreSQL, behind a gateway of the tests"
    for name in ("moto", "dynalite"):
        if (endpoint := told.get(f"EVERWARM_TEST_{name.upper()}")) and f"endpoint={endpoint}" in url:
            return name
    return ""


@contextmanager
def _file(told: Told) -> Iterator[Place]:
    """A directory on the disk of this checkout."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as directory:
        yield Place(directory)


@contextmanager
def _served(told: Told) -> Iterator[Place]:
    """A process of `everwarm serve` over memory."""
    command = [sys.executable, "-m", "everwarm", "serve", "--store", "memory://", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield Place(server.stdout.readline().split()[-1])
        finally:
            server.terminate()


def _url(url: str, **options: str) -> str:
    """Return a URL with options beside those that it has, and patience for a busy machine."""
    parts = urlsplit(url)
    given = {name for name, _ in parse_qsl(parts.query)}
    more = {"timeout": TIMEOUT, **options}
    query = [parts.query, *(f"{name}={value}" for name, value in more.items() if name not in given)]
    return parts._replace(query="&".join(filter(None, query))).geturl()


def _with(option: str) -> Callable[[Room], str]:
    """Say how a URL names what is made by an option."""
    return lambda room: _url(room.url, **{option: room.name})


def _below(room: Room) -> str:
    """Return the URL of a prefix of our own."""
    parts = urlsplit(room.url)
    return _url(parts._replace(path=f"{parts.path.rstrip('/')}/{room.name}").geturl())


def _table(room: Room) -> str:
    """Return the URL of a table of our own, which the store makes."""
    parts = urlsplit(room.url)
    user, at, _ = parts.netloc.rpartition("@")
    return _url(parts._replace(netloc=f"{user}{at}{room.name}").geturl(), make_table="true")


KINDS = {
    "redis": Kind(
        "Redis",
        _server("redis", "EVERWARM_TEST_REDIS"),
        lambda room: _url(room.url),
        (alone.REDIS, alone_awaited.REDIS),
    ),
    "memcached": Kind(
        "Memcached",
        _server("memcached", "EVERWARM_TEST_MEMCACHED"),
        lambda room: _url(room.url),
        (alone.PYMEMCACHE, alone_awaited.AIOMCACHE),
    ),
    "postgres": Kind(
        "PostgreSQL",
        _server("postgres", "EVERWARM_TEST_POSTGRES"),
        _with("table"),
        (alone.PSYCOPG, alone_awaited.ASYNCPG),
    ),
    "mariadb": Kind(
        "MariaDB",
        _server("mariadb", "EVERWARM_TEST_MARIADB"),
        _with("table"),
        (alone.PYMYSQL, alone_awaited.ASYNCMY),
    ),
    "sqlite": Kind(
        "SQLite",
        _file,
        lambda room: f"sqlite://{room.url}/cache.db",
        (alone.SQLITE3, alone_awaited.AIOSQLITE),
    ),
    # Rows 12 and 13 of `run.py` have `disk:` beside its peers.
    "disk": Kind("`disk:`", _file, lambda room: f"disk://{room.url}/cache", ()),
    "file": Kind("`file:`", _file, lambda room: f"file://{room.url}/cache", ()),
    "mongodb": Kind(
        "MongoDB",
        _server("mongodb", "EVERWARM_TEST_MONGODB"),
        _with("collection"),
        (alone.PYMONGO, alone_awaited.PYMONGO),
    ),
    "s3": Kind("S3", _server("moto", "EVERWARM_TEST_S3"), _below, (alone.BOTO3_S3,)),
    "dynamodb": Kind(
        "DynamoDB", _server("dynalite", "EVERWARM_TEST_DYNAMODB"), _table, (alone.BOTO3_DYNAMODB,)
    ),
    "http": Kind(
        "`everwarm serve` over memory",
        _served,
        lambda room: _url(room.url),
        (alone.HTTP_CLIENT, alone_awaited.HTTPX),
    ),
}

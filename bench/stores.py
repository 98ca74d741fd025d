"""The stores on disk that are compared, each set up as its own documentation says, for keys that are texts.

Where a library has them, a ttl of an hour and a bound in bytes are on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from peers import LeftOut

TTL = 3_600
BOUND = 1 << 30
MEBIBYTE = 1 << 20
# What a file takes of a disk, however short it is.
BLOCK = 4 << 10


@dataclass(frozen=True)
class Opened:
    """An open store: the expressions that read key `x`, and write `value` under it, and the names in them.

    With `awaited` the names are of coroutine functions.
    """

    names: dict[str, Any]
    close: Callable[[], object]
    get: str = "get(x)"
    put: str = "put(x, value)"
    awaited: bool = False


@dataclass(frozen=True)
class Store:
    """One library: how it opens a directory with a bound in bytes, and what it does not do.

    `alone` says why it is not measured with many processes on one directory, `more` what it does that
    others do not.
    """

    name: str
    module: str
    open: Callable[[Any, Path, int], Opened]
    without: tuple[str, ...] = field(default=())
    alone: str = ""
    more: str = ""

    @property
    def is_bounded(self) -> bool:
        """Say whether it keeps to the bound by itself."""
        return "a bound" not in self.without

    def opened(self, directory: Path, bound: int = BOUND) -> Opened:
        """Open a directory that nobody has used, or leave the store out with the reason."""
        try:
            library = import_module(self.module)
        except Exception as error:
            raise LeftOut(f"cannot be imported: {error}") from error
        return self.open(library, directory, bound)


def _everwarm(library: Any, directory: Path, bound: int) -> Opened:
    """The disk store alone: every get reads from it."""
    policy = library.Policy(ttl=TTL)
    cache = library.Cache([f"disk://{directory}?max_bytes={bound}"], policy=policy)
    return Opened({"get": cache.get, "put": cache.set}, cache.close)


def _everwarm_behind_memory(library: Any, directory: Path, bound: int) -> Opened:
    """The disk store as a URL alone gives it."""
    cache = library.Cache(f"disk://{directory}?max_bytes={bound}", policy=library.Policy(ttl=TTL))
    return Opened({"get": cache.get, "put": cache.set}, cache.close)


def _everwarm_sqlite(library: Any, directory: Path, bound: int) -> Opened:
    """The SQLite store alone."""
    url = f"sqlite://{directory}/cache.db?max_bytes={bound}"
    cache = library.Cache([url], policy=library.Policy(ttl=TTL))
    return Opened({"get": cache.get, "put": cache.set}, cache.close)


def _diskcache(library: Any, directory: Path, bound: int) -> Opened:
    """A `Cache` with its defaults."""
    cache = library.Cache(str(directory), size_limit=bound)
    return Opened(
        {"get": cache.get, "put": cache.set, "ttl": TTL}, cache.close, put="put(x, value, expire=ttl)"
    )


def _cachekit(library: Any, directory: Path, bound: int) -> Opened:
    """The file backend alone, bytes in and out, without the decorator's serializer and envelope."""
    config = import_module("cachekit.backends.file.config")
    megabytes = bound // MEBIBYTE
    backend = library.FileBackend(
        config.FileBackendConfig(
            cache_dir=directory,
            max_size_mb=megabytes,
            max_value_mb=min(100, megabytes // 2),
            max_entry_count=bound // BLOCK,
        )
    )
    names = {"get": backend.get, "put": backend.set, "ttl": TTL}
    return Opened(names, lambda: None, put="put(x, value, ttl=ttl)")


def _cachier(library: Any, directory: Path, bound: int) -> Opened:
    """The pickle core with a file for each entry; one file for all is read and written whole each time."""

    @library.cachier(
        backend="pickle",
        cache_dir=directory,
        separate_files=True,
        pickle_reload=True,
        stale_after=timedelta(seconds=TTL),
    )
    def load(key: str) -> bytes:
        raise LeftOut(f"does not hit: {key!r} was computed again")

    names = {"get": load, "put": load.precache_value}
    return Opened(names, lambda: None, put="put(x, value_to_cache=value)")


def _cachine(library: Any, directory: Path, bound: int) -> Opened:
    """The SQLite cache with its defaults; bytes need no serializer."""
    cache = library.SQLiteCache(database=str(directory / "cache.db"))
    return Opened({"get": cache.get, "put": cache.set, "ttl": TTL}, cache.close, put="put(x, value, ttl=ttl)")


def _cachestack(library: Any, directory: Path, bound: int) -> Opened:
    """The file backend, whose verbs are coroutines that cross to a thread and back."""
    cache = library.FileBackend(library.FileConfig(directory=str(directory)))
    names = {"get": cache.get, "put": cache.set, "ttl": TTL}
    return Opened(names, lambda: None, "await get(x)", "await put(x, value, ttl=ttl)", awaited=True)


_supplied: dict[str, bytes] = {}


def _supply(key: str) -> bytes:
    """Return what was just put, for a library that stores only what a function returns."""
    return _supplied.pop(key)


def _joblib(library: Any, directory: Path, bound: int) -> Opened:
    """A memorized function; `call` computes and stores without looking first."""
    memory = library.Memory(directory, verbose=0)
    still_valid = library.expires_after(seconds=TTL)
    load = memory.cache(_supply, cache_validation_callback=still_valid)

    def put(key: str, value: bytes) -> None:
        _supplied[key] = value
        load.call(key)

    # Before its first common call a memorized function takes all that is stored for another function's.
    _supplied[""] = b""
    load("")
    return Opened({"get": load, "put": put}, lambda: None)


def _sqlite(library: Any, directory: Path, bound: int) -> Opened:
    """The standard library's module and one table: WAL, statements prepared once by the module."""
    connection = library.connect(directory / "table.db", isolation_level=None, timeout=60)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value BLOB)")
    names = {
        "execute": connection.execute,
        "select": "SELECT value FROM entry WHERE key = ?",
        "replace": "INSERT INTO entry VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    }
    get, put = "execute(select, (x,)).fetchone()[0]", "execute(replace, (x, value))"
    return Opened(names, connection.close, get, put)


def _lmdb(library: Any, directory: Path, bound: int) -> Opened:
    """LMDB with NO_SYNC: a transaction for each call."""
    environment = library.open(str(directory), map_size=4 * BOUND, sync=False)
    begin = environment.begin

    def get(key: str) -> bytes | None:
        with begin() as transaction:
            return transaction.get(key.encode())

    def put(key: str, value: bytes) -> None:
        with begin(write=True) as transaction:
            transaction.put(key.encode(), value)

    return Opened({"get": get, "put": put}, environment.close)


EVERWARM = Store("everwarm", "everwarm", _everwarm)
BEHIND_MEMORY = Store("everwarm, memory in front", "everwarm", _everwarm_behind_memory)
BASE = "diskcache"
SYNCED = "waits at each set until the file is on the disk"
SLOW = "takes too long to write as many entries, see row 13"

STORES: tuple[Store, ...] = (
    EVERWARM,
    BEHIND_MEMORY,
    Store("everwarm, in SQLite", "everwarm", _everwarm_sqlite),
    Store(BASE, "diskcache", _diskcache),
    Store("cachekit's FileBackend", "cachekit.backends.file", _cachekit, alone=SLOW, more=SYNCED),
    Store("cachier, pickle core", "cachier", _cachier, ("a bound",), SLOW),
    Store("cachine's SQLiteCache", "cachine", _cachine, ("a bound",)),
    Store("cachestack's FileBackend", "cachestack", _cachestack, ("a bound",), SLOW),
    Store("joblib.Memory", "joblib", _joblib, ("a bound",), SLOW),
    Store("sqlite3", "sqlite3", _sqlite, ("a bound", "expiry")),
    Store("lmdb", "lmdb", _lmdb, ("a bound", "expiry", "protection from damaged files")),
)

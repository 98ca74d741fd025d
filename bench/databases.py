"""What a call to PostgreSQL, MySQL or MariaDB costs, beside psycopg or PyMySQL alone.

`python bench/databases.py mysql://user:password@host/database` prints medians of calls of one thread, in
turns; values of 200 bytes, without memory in front. It is no row of `run.py`, which starts no database. The
other client has to be installed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from everwarm import Cache
from everwarm.testing import open_store

VALUE = bytes(200)
NAMES = [f"bench:n{number}" for number in range(100)]
ROUNDS, CALLS = 5, 400


def psycopg_alone(url: str) -> dict[str, Callable[[int], object]]:
    """The calls of psycopg, on a plain table."""
    import psycopg

    connection = psycopg.connect(url, autocommit=True)
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS bench_plain (name text PRIMARY KEY, bytes bytea)")
    put = "INSERT INTO bench_plain VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET bytes = EXCLUDED.bytes"
    return calls(cursor, put, "= ANY(%s)")


def pymysql_alone(url: str) -> dict[str, Callable[[int], object]]:
    """The calls of PyMySQL, on a plain table."""
    import pymysql

    parts = urlsplit(url)
    connection = pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        database=parts.path[1:],
        autocommit=True,
    )
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE IF NOT EXISTS bench_plain (name VARBINARY(255) PRIMARY KEY, bytes LONGBLOB)")
    put = "INSERT INTO bench_plain VALUES (%s, %s) ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)"
    return calls(cursor, put, "IN %s")


def calls(cursor: Any, put: str, is_among: str) -> dict[str, Callable[[int], object]]:
    """What both are asked for, in their tables, where `is_among` says of a name that it is one of many."""
    cursor.executemany(put, [(name, VALUE) for name in NAMES])

    def get(number: int) -> object:
        cursor.execute("SELECT bytes FROM bench_plain WHERE name = %s", (NAMES[number % 100],))
        return cursor.fetchone()

    def get_many(_: int) -> object:
        cursor.execute(f"SELECT name, bytes FROM bench_plain WHERE name {is_among}", (NAMES,))
        return cursor.fetchall()

    return {
        "get": get,
        "set": lambda number: cursor.execute(put, (NAMES[number % 100], VALUE)),
        "get_many of 100": get_many,
    }


def ours(url: str) -> dict[str, Callable[[int], object]]:
    """The same calls of a store alone, and of a cache without memory."""
    url = f"{url}?table=bench&timeout=10s"
    store, cache = open_store(url), Cache([url], namespace="bench")
    cache.clear()
    for name in NAMES:
        store.set(name, VALUE, 60)
    cache.set_many(dict.fromkeys(NAMES, VALUE), ttl="1m")

    @cache(name="computed", ttl="1m")
    def computed(number: int) -> bytes:
        return VALUE

    computed(0)
    fresh = iter(range(1, 1_000_000))
    return {
        "store.get": lambda number: store.get(NAMES[number % 100]),
        "store.set": lambda number: store.set(NAMES[number % 100], VALUE, 60),
        "store.get_many of 100": lambda _: store.get_many(NAMES),
        "cache.get": lambda number: cache.get(NAMES[number % 100]),
        "cache.set": lambda number: cache.set(NAMES[number % 100], VALUE, ttl="1m"),
        "function, found": lambda _: computed(0),
        "function, computed and stored": lambda _: computed(next(fresh)),
    }


def main() -> None:
    """Measures, and prints microseconds."""
    url = sys.argv[1]
    alone = psycopg_alone if url.startswith("postgres") else pymysql_alone
    measured = {**{f"alone: {name}": call for name, call in alone(url).items()}, **ours(url)}
    medians: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(ROUNDS):
        for name, call in measured.items():
            times = []
            for number in range(CALLS // 10 if "many" in name else CALLS):
                began = time.perf_counter()
                call(number)
                times.append(time.perf_counter() - began)
            medians[name].append(statistics.median(times))
    for name, found in medians.items():
        print(f"{name:32} {statistics.median(found) * 1e6:8.0f} µs")


if __name__ == "__main__":
    main()

"""What a call to MySQL or MariaDB costs, beside PyMySQL alone.

`python bench/mysql.py mysql://user:password@host/database` prints medians of calls of one thread, in turns;
values of 200 bytes, without memory in front. It is no row of `run.py`, which starts no database. PyMySQL has
to be installed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import pymysql
from everwarm import Cache
from everwarm.testing import open_store

VALUE = bytes(200)
NAMES = [f"bench:n{number}" for number in range(100)]
ROUNDS, CALLS = 5, 400


def alone(url: str) -> dict[str, Callable[[int], object]]:
    """The calls of PyMySQL, on a plain table."""
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
    cursor.executemany(put, [(name, VALUE) for name in NAMES])

    def get(number: int) -> object:
        cursor.execute("SELECT bytes FROM bench_plain WHERE name = %s", (NAMES[number % 100],))
        return cursor.fetchone()

    def get_many(_: int) -> object:
        cursor.execute("SELECT name, bytes FROM bench_plain WHERE name IN %s", (NAMES,))
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
    calls = {**{f"PyMySQL: {name}": call for name, call in alone(url).items()}, **ours(url)}
    medians: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
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

"""What a call to MongoDB costs, beside pymongo alone: `python bench/mongodb.py [URL]`.

Without a URL it starts what `scripts/servers/up mongodb` can: a mongod, or what stands in for it. Everwarm
has to be built with its client of MongoDB, and pymongo installed. Medians of calls in turns, one thread, 200
bytes.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pymongo
from everwarm import Cache, Tier
from everwarm.testing import open_store

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts" / "servers"
ROUNDS, CALLS, MANY = 7, 150, 100


def measured(ways: dict[str, Callable[[int], object]]) -> dict[str, float]:
    """Return the median of the rounds' medians of each way, in microseconds."""
    rounds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, call in ways.items():
            spans = []
            for number in range(CALLS):
                began = time.perf_counter()
                call(number)
                spans.append(time.perf_counter() - began)
            rounds[name].append(statistics.median(spans) * 1e6)
    return {name: statistics.median(spans) for name, spans in rounds.items()}


def compare(url: str) -> None:
    """Print the table."""
    own = f"{url}{'&' if '?' in url else '?'}collection=bench_{os.getpid()}&timeout=5s"
    store, value = open_store(own), os.urandom(200)
    cache = Cache([Tier(own, timeout="5s")], namespace="bench")
    client: pymongo.MongoClient = pymongo.MongoClient(url)
    plain = client.get_default_database()[f"plain_{os.getpid()}"]
    names = [f"n{number}" for number in range(MANY)]
    for name in names:
        store.set(name, value)
        cache.set(name, value)
        plain.replace_one({"_id": name}, {"b": value}, upsert=True)
    ways: dict[str, dict[str, Callable[[int], object]]] = {
        "get": {
            "store": lambda n: store.get(names[n % MANY]),
            "cache": lambda n: cache.get(names[n % MANY]),
            "pymongo": lambda n: plain.find_one({"_id": names[n % MANY]}),
        },
        "set": {
            "store": lambda n: store.set(names[n % MANY], value),
            "cache": lambda n: cache.set(names[n % MANY], value),
            "pymongo": lambda n: plain.replace_one({"_id": names[n % MANY]}, {"b": value}, upsert=True),
        },
        f"get of {MANY}": {
            "store": lambda n: store.get_many(names),
            "cache": lambda n: cache.get_many(names),
            "pymongo": lambda n: list(plain.find({"_id": {"$in": names}})),
        },
    }
    for verb, each in ways.items():
        said = ", ".join(f"{name} {span:.0f}" for name, span in measured(each).items())
        print(f"{verb}: {said} (microseconds)")
    store.clear("")
    plain.drop()


def main() -> None:
    """Compare at the URL that is given, or at a server of our own."""
    if sys.argv[1:]:
        compare(sys.argv[1])
        return
    started = subprocess.run([SCRIPTS / "up", "mongodb"], check=True, capture_output=True, text=True)
    lines = (line.removeprefix("export ").partition("=") for line in started.stdout.splitlines())
    told = {name: value.strip("'") for name, _, value in lines}
    try:
        compare(told["EVERWARM_TEST_MONGODB"])
    finally:
        subprocess.run([SCRIPTS / "down"], env={**os.environ, **told}, check=False)


if __name__ == "__main__":
    main()

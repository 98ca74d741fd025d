"""Holds every store that can be had to the contract, prints a table and keeps it in docs/reference/stores.md.

`make stores` starts the servers and runs it, `python scripts/stores.py` asks what the environment names.
The line of a store that is not there stays as it was on its day. What is compared, stores say of themselves.
"""

import datetime
import json
import os
import re
import sys
import tempfile
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/stores.md"
# What each store said of itself, and what came of its run: the page is made of it.
KEPT = ROOT / "docs/reference/stores.json"

# Stores that are asked at a time: a promise mostly waits.
AT_A_TIME = 6


@dataclass(frozen=True)
class Kind:
    """A store, and what it is tested on."""

    name: str
    # The variable with its URL; None: it needs no server.
    variable: str | None
    # What answers in the tests.
    tested_on: str
    page: str
    # Its URL in a directory, where that is all it needs.
    url: str = ""


KINDS = (
    Kind("memory", None, "itself", "bounds"),
    Kind("disk", None, "itself", "disk", "disk://{}"),
    Kind("file", None, "itself", "file", "file://{}"),
    Kind("Redis", "EVERWARM_TEST_REDIS", "Redis 7.0", "redis"),
    Kind("Redis Sentinel", "EVERWARM_TEST_REDIS_SENTINEL", "Redis 7.0, one master, two replicas", "redis"),
    Kind("Redis Cluster", "EVERWARM_TEST_REDIS_CLUSTER", "Redis 7.0, three masters with replicas", "redis"),
    Kind("Memcached", "EVERWARM_TEST_MEMCACHED", "Memcached 1.6", "memcached"),
    Kind("Memcached, several", "EVERWARM_TEST_MEMCACHED_SEVERAL", "three of Memcached 1.6", "memcached"),
    Kind("PostgreSQL", "EVERWARM_TEST_POSTGRES", "PostgreSQL 15", "postgresql"),
    Kind("MariaDB", "EVERWARM_TEST_MARIADB", "MariaDB 10.11; by hand MySQL 9.7", "mysql"),
    Kind("MongoDB", "EVERWARM_TEST_MONGODB", "a stand-in: DocumentDB on PostgreSQL 18", "mongodb"),
    Kind("DynamoDB", "EVERWARM_TEST_DYNAMODB", "dynalite 4.0, a stand-in", "dynamodb"),
    Kind("S3", "EVERWARM_TEST_S3", "moto 5.2, a stand-in", "objects"),
    Kind("SQLite", None, "itself", "sqlite", "sqlite://{}/cache.db"),
    Kind("HTTP", None, "`everwarm serve` over memory", "http"),
)

SUITES = (
    "store",
    "counters",
    "conditional",
    "leases",
    "scan",
    "touch",
    "generations",
    "notify",
    "suspend",
    "health",
)

HEAD = """# Stores, side by side

Written by `make stores`, which starts every server that can be had and holds each store to
[the contract](../guide/stores.md), promise by promise.

"""

KEY = """
A number is how many promises were kept; – is a facet that the store does not offer: its tests find it absent.
"""

COMPARED = """
## What they say of themselves

An acknowledged set survives what stands under `survives`; `late` is by how much an entry may outlive its ttl.
A longer name and a larger value are refused, a longer ttl is cut.

| store | survives | longest name | largest value | longest ttl | late | tested on |
|---|---|---|---|---|---|---|
"""


def opener(kind: Kind) -> Callable[[Any], Any]:
    """What opens a handle on the store in a place of the suite."""
    from everwarm.testing import open_store

    if kind.variable:
        url = patient(os.environ[kind.variable])
        if url.startswith("s3:"):
            # A sweep reads all that is there: each place has a prefix of its own.
            return lambda place: open_store(url.replace("?", f"/{place.once(uuid.uuid4).hex}?", 1))
        return lambda place: open_store(url)
    if kind.name == "memory":
        return lambda place: place.once(lambda: open_store("memory://")).again()
    if kind.name == "HTTP":
        return lambda place: open_store(place.once(served_in_memory).url)
    return lambda place: open_store(kind.url.format(place.directory))


def patient(url: str) -> str:
    """The URL with a time limit for a machine that runs all at once, where the store has one of its own."""
    if not url.startswith(("redis", "memcached", "mongodb")):
        return url
    return f"{url}{'&' if '?' in url else '?'}timeout=5s"


def served_in_memory() -> Any:
    """A server of the contract over HTTP."""
    from everwarm import _native

    room, access = (10_000, None, "adaptive"), ([], False, None)
    return _native.serve(("memory://", "127.0.0.1:0"), room, access, (1 << 20, 64))


class Alone:
    """A place of the suite with one handle."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.made: Any = None

    def once(self, make: Callable[[], Any]) -> Any:
        self.made = make()
        return self.made


def told(kind: Kind) -> dict[str, Any]:
    """What a store says of itself, without its place."""
    with tempfile.TemporaryDirectory() as directory:
        place = Alone(directory)
        store = opener(kind)(place)
        # Some hear by an answer how much they take.
        store.ping()
        said: dict[str, Any] = store.info()
        store.close()
    del said["place"]
    return said


def run(kind: Kind) -> dict[str, Any]:
    """Each promise of each suite: how many were kept, and which were broken."""
    from everwarm.testing import conformance

    came: dict[str, Any] = {}
    opened = opener(kind)
    for suite in SUITES:
        outcomes = {name: conformance.outcome(opened, name) for name in conformance.promises(suite)}
        broken = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
        for name, outcome in broken.items():
            print(f"BROKEN: {kind.name}, {name}: {outcome}", file=sys.stderr)
        kept = sum(outcome is None for outcome in outcomes.values())
        came[suite] = f"BROKEN {len(broken)}" if broken else kept or None
    print(f"{kind.name}: {sum(kept for kept in came.values() if isinstance(kept, int))} promises kept")
    return came


def size(count: int) -> str:
    """Bytes as people say them."""
    if count >= 1 << 60:
        return "any that there is room for"
    for exponent, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1 << 10 * exponent:
            number = count / (1 << 10 * exponent)
            return f"{number:.0f} {unit}" if abs(number - round(number)) < 0.005 else f"{number:.2f} {unit}"
    return f"{count:,}"


def span(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    if not seconds:
        return "by nothing"
    for unit, length in (("years", 31_557_600.0), ("days", 86_400.0), ("s", 1.0), ("ms", 0.001)):
        if seconds >= length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def page(kept: dict[str, Any]) -> str:
    """The page of what was kept."""
    named = [kind for kind in KINDS if kind.name in kept]
    lines = [HEAD, f"| store | {' | '.join(SUITES)} | run on |\n", "|---" * (len(SUITES) + 2) + "|\n"]
    for kind in named:
        came = kept[kind.name]["came"]
        cells = ["–" if came.get(suite) is None else str(came[suite]) for suite in SUITES]
        link = f"[{kind.name}](../guide/{kind.page}.md)"
        lines.append(f"| {link} | {' | '.join(cells)} | {kept[kind.name]['day']} |\n")
    lines += [KEY, COMPARED]
    survives = {"none": "nothing", "process": "the process", "power": "loss of power"}
    for kind in named:
        said = kept[kind.name]["said"]
        cells = [
            f"`{said['kind']}`" if said["kind"] == kind.name.lower() else f"{kind.name} (`{said['kind']}`)",
            survives[said["durability"]],
            f"{said['longest_name']:,} bytes",
            size(said["largest_value"]),
            span(said["longest_ttl"]),
            span(said["ttl_precision"]),
            kind.tested_on,
        ]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def read() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    return kept


def at_hand() -> list[Kind]:
    """Those that need no server, or whose server the environment names."""
    return [kind for kind in KINDS if kind.variable is None or os.environ.get(kind.variable)]


def main() -> int:
    servers = {name: value for name, value in os.environ.items() if name.startswith("EVERWARM_TEST_")}
    kinds = at_hand()
    for kind in KINDS:
        if kind not in kinds:
            print(f"LEFT OUT: {kind.name}, since {kind.variable} names no server", file=sys.stderr)
    urls = {kind: os.environ[kind.variable] for kind in kinds if kind.variable}
    for name in servers:
        # To a cache it would be a setting that does not exist.
        del os.environ[name]
    import everwarm  # noqa: F401

    os.environ.update({kind.variable: url for kind, url in urls.items() if kind.variable})
    kept, day = read(), datetime.date.today().isoformat()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for kind, came in zip(kinds, pool.map(run, kinds), strict=True):
            kept[kind.name] = {"said": told(kind), "came": came, "day": day}
    KEPT.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(kept))
    print()
    print(re.sub(r"\]\([^)]*\)", "]", page(kept)))
    return any("BROKEN" in str(each["came"]) for each in kept.values())


if __name__ == "__main__":
    raise SystemExit(main())

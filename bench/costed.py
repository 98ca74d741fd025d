"""What was measured of a kind of stores, as tables: that of a report, and that of the store's page."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from alone import Client
from calls import MANY, Call, Took
from hits import ratio
from report import grid

EVERWARM = "everwarm"
MANY_NAME = f"get_many of {MANY}"


@dataclass
class Costs:
    """What was measured: the calls of ours and what they took, by their lines, with what the clients took."""

    kind: str
    server: str
    stand_in: str = ""
    calls: dict[str, Call] = field(default_factory=dict)
    clients: list[Client] = field(default_factory=list)
    took: dict[str, Took] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the server's name and version, and what stands in for it."""
        return f"{self.server} (stand-in: {self.stand_in})" if self.stand_in else self.server

    def client_of(self, awaited: bool) -> Client | None:
        """Return the client that is awaited, or the one that is not."""
        return next((client for client in self.clients if client.awaited is awaited), None)

    def beside(self, line: str) -> Took | None:
        """Return what the same verb took the client that a line is compared with."""
        call = self.calls[line]
        client = self.client_of(call.awaited)
        return self.took.get(client.line(call.verb)) if client else None

    def ratio(self, line: str) -> str:
        """Return a line's time for each unit of the client's, with quartiles."""
        base = self.beside(line)
        if base is None:
            return "–"
        low, middle, high = self.took[line].beside(base)
        return f"{ratio(middle)} ({ratio(low)}–{ratio(high)})"

    def markdown(self) -> str:
        """Return the section of a report."""
        parts = [f"## {self.title}"]
        if self.took:
            parts.append(self._table())
        parts += [f"{client.name} {client.more}." for client in self.clients if client.more]
        if self.left_out:
            absent = "\n".join(f"- {name}: {reason}" for name, reason in self.left_out.items())
            parts.append(f"Left out:\n\n{absent}")
        return "\n\n".join(parts)

    def _table(self) -> str:
        """Lay out all lines of ours, with the columns of each client that took part."""
        columns = ["call, µs", EVERWARM, "processor"]
        for client in self.clients:
            columns += [client.name, "processor", "×"]
        lines = []
        for name, call in self.calls.items():
            cells = [name.replace("get_many", MANY_NAME), *self.took[name].cells]
            base = self.beside(name)
            for client in self.clients:
                if base is not None and client.awaited is call.awaited:
                    cells += [*base.cells, self.ratio(name)]
                else:
                    cells += [""] * 3
            lines.append(tuple(cells))
        return grid(tuple(columns), lines)


def overview(every: Sequence[Costs]) -> str:
    """Return one line for each kind: what ours takes for each unit of the client alone."""
    lines = []
    for costs in every:
        if costs.took:
            names = [client.name if client else "–" for client in map(costs.client_of, (False, True))]
            ratios = [costs.ratio(line) for line in COMPARED]
            lines.append((costs.title, names[0], *ratios[:3], names[1], *ratios[3:]))
    columns = (
        "",
        "client",
        "store.get",
        "store.set",
        f"store.{MANY_NAME}",
        "awaited",
        "cache.aget",
        "cache.aset",
    )
    return grid(columns, lines, texts=2)


# Stores have no awaited verbs of their own: a cache's look at the markers of the namespace, too.
COMPARED = ("store.get", "store.set", "store.get_many", "cache.aget", "cache.aset")


# The forms of the pages under docs/guide.

STORE, CACHE_GET, CACHE_SET = ("store.get", "store.set"), ("cache.get",), ("cache.set",)
FOUND, COMPUTED = ("function, found",), ("function, computed and stored",)
AWAITED, FOUND_AWAITED = ("cache.aget", "cache.aset"), ("async function, found",)
ALL = {
    "`get`, `set` of the store alone": STORE,
    f"`get_many` of {MANY}, of the store alone": ("store.get_many",),
    "`cache.get`": CACHE_GET,
    "a decorated function, found": FOUND,
    "`cache.set`": CACHE_SET,
    "a decorated function, computed and stored": COMPUTED,
    "`cache.aget`, `cache.aset`, awaited": AWAITED,
    "a decorated `async` function, found": FOUND_AWAITED,
}
# Which the pages of Redis and of databases have beside the times.
TRIPS = (
    "1",
    "1",
    "1, with the markers of its namespace",
    "1",
    "2",
    "5: look, lease, look again, stamps, settle",
    "1, 2",
    "1",
)
OBJECTS = {
    "`get` of the store": ("store.get",),
    "`set` of the store": ("store.set",),
    f"`get_many` of {MANY}": ("store.get_many",),
    "`cache.get`, with the markers of its namespace": CACHE_GET,
}
DYNAMODB = {"`get`": ("store.get",), "`set`": ("store.set",), f"`get_many` of {MANY}": ("store.get_many",)}
PAGES = {
    "redis": ("redis.md", ""),
    "memcached": ("memcached.md", ""),
    "postgres": ("postgresql.md", "With `fsync` on, which was off here, a write waits for the disk besides."),
    "mariadb": (
        "mysql.md",
        "With `innodb_flush_log_at_trx_commit=1`, which was 2, a write waits for the disk besides.",
    ),
    "sqlite": ("sqlite.md", ""),
    "mongodb": ("mongodb.md", "The stand-in's own time is in all of them."),
    "s3": (
        "objects.md",
        "moto takes most of the wall time; what is this process's own is the processor time.",
    ),
    "dynamodb": ("dynamodb.md", "The stand-in's own time is in all of them."),
    "http": ("http.md", "The server is another process, and takes its part of the time."),
}


def page(costs: Costs, measured: str, day: str) -> str:
    """Return what a store's page says of it: how, on what and when, and a table in the page's form."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    clients = " and ".join(client.version for client in costs.clients)
    file, besides = PAGES[costs.kind]
    on = f"{measured} {costs.title} on the same {cores} cores, in turns with {clients} alone"
    said = f"{on} ({day}; `python bench/costs.py {costs.kind}` measures them). {besides}".rstrip()
    return f"docs/guide/{file}:\n\n{said}\n\n{_page_table(costs)}"


def _page_table(costs: Costs) -> str:
    """Return the table of a page."""
    client = costs.client_of(False)
    name = client.name if client else "nobody"
    if costs.kind == "s3":
        columns = ["call, without memory in front", "wall", "processor", f"the same by {name}"]
        lines = [_object_line(costs, said, lines) for said, lines in OBJECTS.items()]
    elif costs.kind == "dynamodb":
        columns = ["call, of the store alone", "µs", f"the same by {name}"]
        lines = [[said, _all(costs, lines), _bases(costs, lines)] for said, lines in DYNAMODB.items()]
    else:
        columns = ["call, without memory in front", "µs", f"the same by {name}"]
        lines = [[said, _all(costs, lines), _bases(costs, lines)] for said, lines in ALL.items()]
        if costs.kind in ("redis", "postgres", "mariadb"):
            columns.insert(2, "trips")
            for line, trips in zip(lines, TRIPS, strict=True):
                line.insert(2, trips)
    head, *rest = (f"| {' | '.join(row)} |".replace("|  |", "| |") for row in (columns, *lines))
    return "\n".join([head, f"|{'---|' * len(columns)}", *rest])


def _all(costs: Costs, lines: Sequence[str]) -> str:
    """Return the figures of some lines, with commas between."""
    return ", ".join(_rounded(costs.took[line].micros) for line in lines)


def _bases(costs: Costs, lines: Sequence[str]) -> str:
    """Return those of the client, where they are the same verbs of the store alone, or awaited."""
    compared = [costs.beside(line) for line in lines if line in COMPARED]
    figures = ", ".join(_rounded(base.micros) for base in compared if base)
    awaited = costs.client_of(True)
    return f"{figures} by {awaited.name}" if awaited and lines == AWAITED else figures


def _object_line(costs: Costs, said: str, lines: Sequence[str]) -> list[str]:
    """Return a line in milliseconds of wall and processor time."""
    [line] = lines
    took, base = costs.took[line], costs.beside(line) if line in COMPARED else None
    beside = f"{_millis(base.micros)}, {_millis(base.micros_worked)}" if base else ""
    one_by_one = ", one after the other" if base and line == "store.get_many" else ""
    return [said, _millis(took.micros), _millis(took.micros_worked), beside + one_by_one]


def _rounded(value: float) -> str:
    """Return microseconds with two or three figures."""
    if value >= 1_000:
        return f"{round(value, -1):.0f}"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _millis(value: float) -> str:
    """Return microseconds as milliseconds or seconds with two figures."""
    seconds = float(f"{value / 1e6:.2g}")
    return f"{seconds:g} s" if seconds >= 0.1 else f"{float(f'{value / 1e3:.2g}'):g} ms"

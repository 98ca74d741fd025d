"""Row 21: a small dict to bytes, in an envelope, and back."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import harness
from harness import EMPTY_LOOP, Effort
from hits import Names, ns, ratio
from peers import Attempt, LeftOut
from report import Table, Verdict

BASE = "ormsgpack"
OWN = "everwarm, with the envelope"
LIMIT = 1.5
COUNT = 1_000
FIRST = 7


def values() -> list[dict[str, Any]]:
    """Return dicts that differ in their numbers alone."""
    return [
        {"id": number, "name": "Ada", "tags": ["a", "b"], "score": 1.5, "active": True}
        for number in range(FIRST, FIRST + COUNT)
    ]


def _everwarm() -> Names:
    """MessagePack with typed extensions, in an envelope with its checksum."""
    native = import_module("everwarm._native")
    codec = native.Codec(None, "1KiB", "16MiB", None, "miss")
    return {"seal": codec.seal, "open": codec.open, "format": native.Format("msgpack")}


def _pair(module: str, pack: str, unpack: str) -> Names:
    """Return a library's two functions."""
    library = import_module(module)
    return {"pack": getattr(library, pack), "unpack": getattr(library, unpack)}


# The expression that is measured, and what gives its names.
CONTENDERS: dict[str, tuple[str, Callable[[], Names]]] = {
    OWN: ("open(seal(x, format), format)", _everwarm),
    BASE: ("unpack(pack(x))", lambda: _pair("ormsgpack", "packb", "unpackb")),
    "msgpack": ("unpack(pack(x))", lambda: _pair("msgpack", "packb", "unpackb")),
    "pickle": ("unpack(pack(x))", lambda: {"pack": pickle.dumps, "unpack": pickle.loads}),
    "json": ("unpack(pack(x))", lambda: {"pack": json.dumps, "unpack": json.loads}),
}


def measure(effort: Effort) -> list[Table]:
    """Measure there and back in one expression, after a look at what comes back."""
    loops = {EMPTY_LOOP: harness.compile_loop("pass", {})}
    left_out: dict[str, str] = {}
    for name, (statement, given) in CONTENDERS.items():
        with Attempt(name, left_out):
            names = given()
            if harness.compile_results(statement, names)(values()) != values():
                raise LeftOut("does not give back what it was given")
            loops[name] = harness.compile_loop(statement, names)
    measured = harness.compare(harness.interleave(loops, values(), effort), BASE)
    lines = [
        (name, ns(m.ns), ratio(m.ratio), f"{ratio(m.ratio_low)}–{ratio(m.ratio_high)}")
        for name, m in sorted(measured.items(), key=lambda item: item[1].ns)
    ]
    limit = f"≤ {LIMIT:g} × {BASE}"
    verdict = Verdict(limit, f"not measured: everwarm {left_out.get(OWN) or left_out.get(BASE)}", None)
    if OWN in measured and BASE in measured:
        own = measured[OWN]
        reached = f"{ratio(own.ratio)} × ({ratio(own.ratio_low)}–{ratio(own.ratio_high)})"
        verdict = Verdict(limit, reached, (own.ratio or 0.0) <= LIMIT)
    columns = ("", "ns there and back", f"× {BASE}", "quartiles")
    note = (
        "The others make bytes alone: no checksum over value and key, no lifetime, no tags. Tuples, sets and "
        "dates come back from pickle only, which runs code that it finds in its bytes."
    )
    title = "a small dict to bytes in an envelope, and back"
    return [Table(21, title, verdict, columns, lines, left_out, (note,))]

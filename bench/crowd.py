"""One of the processes of row 14: `python crowd.py STORE DIRECTORY WRITER SECONDS`.

It says "ready", begins at the instant that it reads, and prints what it did and what it saw. Values prove
themselves: a checksum over the key, who wrote it, and the number of that writer's set.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import harness
from stores import STORES, Opened, Store

KEYS = 20_000
SIZE = 100
# A process stops early if it has done all of these; nobody should.
OPERATIONS = 400_000
BATCH = 100
_HEAD = struct.Struct("<IHI16s")

Operation = tuple[str, bytes | None]


def key(number: int) -> str:
    """Return one of the keys that all processes share."""
    return f"user:{number}"


def prove(name: str, writer: int, number: int) -> bytes:
    """Return the value of a writer's set: the writer 0 is who filled the store."""
    body = _HEAD.pack(0, writer, number, name.encode())[4:].ljust(SIZE - 4, b"\xa5")
    return zlib.crc32(body).to_bytes(4, "little") + body


def proven(name: str, value: Any) -> tuple[int, int] | None:
    """Return who wrote a value and the number of that set, or None if it is no value of this key."""
    if not isinstance(value, bytes) or len(value) != SIZE:
        return None
    checksum, writer, number, stored = _HEAD.unpack_from(value)
    if checksum != zlib.crc32(value[4:]) or stored.rstrip(b"\0") != name.encode():
        return None
    return writer, number


def operations(writer: int) -> list[Operation]:
    """Return nine gets and a set, over and over in random order; a set has its value with it."""
    chance = random.Random(writer)
    names = [key(number) for number in range(KEYS)]
    made: list[Operation] = []
    for number in range(1, OPERATIONS + 1):
        name = chance.choice(names)
        made.append((name, prove(name, writer, number) if chance.random() < 0.1 else None))
    return made


def named(name: str) -> Store:
    """Return the store of that name."""
    return next(store for store in STORES if store.name == name)


def play(opened: Opened, made: Sequence[Operation], end: float) -> list[Any]:
    """Do one after another until the end; return what each get gave, None for a set."""
    source = f"""
def play(made, batch, clock, end, {", ".join(opened.names)}):
    gave = []
    keep = gave.append
    for at in range(0, len(made), batch):
        if clock() >= end:
            break
        for x, value in made[at : at + batch]:
            if value is None:
                keep({opened.get})
            else:
                {opened.put}
                keep(None)
    return gave
"""
    return harness.function(source)(made, BATCH, time.monotonic, end, **opened.names)


def examine(made: Sequence[Operation], gave: Sequence[Any], writer: int) -> dict[str, Any]:
    """Count wrong values, and lost ones: keys that are gone, and sets that were undone."""
    wrong = lost = 0
    newest: dict[tuple[str, int], int] = {}
    overwritten: set[str] = set()
    own: dict[str, int] = {}
    for (name, value), got in zip(made, gave, strict=False):
        if value is not None:
            by, number = proven(name, value) or (writer, 0)
            own[name] = number
        elif got is None:
            lost += 1
            continue
        else:
            found = proven(name, got)
            if found is None:
                wrong += 1
                continue
            by, number = found
            older = number < newest.get((name, by), 0)
            lost += older or (by == 0 and name in overwritten)
        newest[name, by] = max(number, newest.get((name, by), 0))
        if by:
            overwritten.add(name)
    return {"operations": len(gave), "wrong": wrong, "lost": lost, "own": own}


def main() -> None:
    """Take part, and print what happened as one line of JSON."""
    name, directory, writer, seconds = sys.argv[1:]
    opened = named(name).opened(Path(directory))
    made = operations(int(writer))
    for at in range(0, KEYS, 100):
        eval(opened.get, {**opened.names, "x": key(at)})
    print("ready", flush=True)
    start = float(sys.stdin.readline())
    time.sleep(max(0.0, start - time.monotonic()))
    began = time.monotonic()
    gave = play(opened, made, start + float(seconds))
    ended = time.monotonic()
    opened.close()
    print(json.dumps({"began": began, "ended": ended, **examine(made, gave, int(writer))}))


if __name__ == "__main__":
    main()

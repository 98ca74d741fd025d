"""What an attacker has who can write to a store: the entries of a `file:` store, byte by byte."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import blake3

# A digit of this key says nothing; that the tests know it does.
KEY = "1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"
OTHER = "2: 0c64a7e9f2b8135d4e91c7a03f6d28b57e1094cad8362fb5907ec14ad3f2b869"

SUITE = 4


class Entry:
    """One entry of a `file:` store, whose bytes can be read and changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.head, _, self.envelope = path.read_bytes().partition(b"\n")

    @property
    def suite(self) -> int:
        return self.envelope[SUITE]

    def plant(self, envelope: bytes) -> None:
        """Puts other bytes in the place of the entry's, as the store itself would have written them."""
        said = json.dumps({key: value for key, value in json.loads(self.head).items() if key != "check"})
        checked = b'",' + said.replace('"everwarm": 1, ', "")[1:].encode() + b"\n" + envelope
        check = blake3.blake3(checked).hexdigest()[:32].encode()
        self.path.write_bytes(b'{"everwarm":1,"check":"' + check + checked)


def entries(directory: Path) -> list[Entry]:
    return [Entry(path) for path in sorted(directory.rglob("*.value"))]


def only(directory: Path) -> Entry:
    (entry,) = entries(directory)
    return entry


def written(directory: Path) -> bytes:
    """All that a store has written, names of files included."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return b"".join(str(path.relative_to(directory)).encode() + path.read_bytes() for path in paths)


class Bomb:
    """Writes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def planted(marker: Path) -> bytes:
    return pickle.dumps(Bomb(marker), 5)

"""Any bytes are a value or a miss: nothing else is raised, and memory is taken for what is there."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from typing import Any

import pytest
import wire
from damage import BOMBS, damaged, escapes
from everwarm._native import Format, decode
from format_classes import ALL

PLAN = Format("msgpack", None, ALL)
INPUTS = 20_000


def test_damaged_values_are_read_or_refused() -> None:
    assert escapes(lambda data: decode(data, PLAN), damaged(INPUTS, "plain", "library", "classes")) == []


@pytest.mark.libraries
@pytest.mark.parametrize("zero_copy", [False, True])
def test_damaged_arrays_are_read_or_refused(zero_copy: bool) -> None:
    pytest.importorskip("numpy")
    read = lambda data: repr(decode(data, PLAN, zero_copy))  # noqa: E731
    assert escapes(read, damaged(INPUTS // 4, "arrays")) == []


def test_a_reader_that_believes_lengths_is_found() -> None:
    assert escapes(wire.tree, damaged(INPUTS // 10, "plain", "library", "classes"))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str) -> None:
    data = bytes.fromhex(BOMBS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            decode(data, PLAN)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 + 16 * len(data)


CHILD = """
import resource
from damage import BOMBS, escapes
from everwarm import ValueRefused
from everwarm._format import format_of
from everwarm._native import Format, decode, encode

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
print(escapes(lambda data: decode(data, Format("msgpack")), map(bytes.fromhex, BOMBS.values())))
for name in ("msgpack", "json"):
    try:
        encode(["x" * (1 << 20)] * 4096, format_of(name, limit=1 << 24))
    except ValueRefused as refused:
        print("larger than" in str(refused))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the room of a process is bounded on Linux alone")
def test_a_process_with_little_room_outlives_them_all() -> None:
    # What is asked for and never touched is seen by nobody but who has none to give.
    done = subprocess.run(
        [sys.executable, "-c", CHILD], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "[]\nTrue\nTrue\n"), done.stderr[-2000:]


@pytest.mark.libraries
@pytest.mark.parametrize(
    "said",
    [
        ["<f8", [1 << 40], "C"],
        ["<f8", [-1], "C"],
        ["<f8", [True], "C"],
        ["|O", [1], "C"],
        ["O", [1], "C"],
        ["<m8[0s]", [1], "C"],
        ["<f8", [1] * 100, "C"],
        ["<f8", [1], "Q"],
        [["<f8", [1 << 40]], [1], "C"],
        [{"names": ["a"], "formats": ["|O"], "offsets": [0], "itemsize": 8, "aligned": False}, [1], "C"],
        [{"names": ["a"], "formats": ["<f8"], "offsets": [80], "itemsize": 8, "aligned": False}, [1], "C"],
        ["f8,O", [1], "C"],
        [7, [1], "C"],
        "<f8",
        {},
        None,
    ],
)
def test_an_array_is_no_more_than_its_bytes(said: Any) -> None:
    pytest.importorskip("numpy")
    from everwarm._native import encode

    content = encode(said, PLAN) + b"\0" + bytes(8)
    data = bytes([0xC7, len(content), 64]) + content
    with pytest.raises(ValueError):
        decode(data, PLAN)

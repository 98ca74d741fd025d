"""The vectors of `tests/vectors/values.json`: what the specification says, this package does."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import pytest
import wire
from everwarm._native import Format, decode, encode
from format_classes import ALL
from same import same
from vector_values import NEEDS, PATH, value_of

VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text())["vectors"]
PLAN = Format("msgpack", None, ALL)


def needs(vector: dict[str, Any]) -> None:
    missing = [name for name in NEEDS.get(vector["group"], []) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing} not installed")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["value"][:60])
def test_a_vector_has_its_bytes(vector: dict[str, Any]) -> None:
    needs(vector)
    data = bytes.fromhex(vector["hex"])
    value = value_of(vector["value"])
    assert same(decode(data, PLAN), value)
    if vector["group"] != "frames":
        assert encode(value, PLAN).hex() == vector["hex"]


def test_a_second_implementation_agrees() -> None:
    for vector in VECTORS:
        assert wire.tree(bytes.fromhex(vector["hex"])) == vector["tree"], vector["value"]


def test_there_are_vectors_of_every_extension() -> None:
    numbers = {
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
        *range(16, 28),
        *range(32, 36),
        48,
        49,
        50,
        *range(64, 68),
        *range(72, 78),
    }

    def extensions(tree: Any) -> set[int]:
        if not isinstance(tree, list):
            return set()
        own = {tree[1]} if tree and tree[0] in ("raw", "one", "tail") else set()
        return own.union(*map(extensions, tree))

    assert set().union(*(extensions(vector["tree"]) for vector in VECTORS)) == numbers
    assert len(VECTORS) > 150

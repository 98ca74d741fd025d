"""The vectors of `tests/vectors/keys.json`: what the specification says, this package does."""

from __future__ import annotations

import importlib.util
import json
import pathlib
from typing import Any

import pytest
from everwarm._native import canonical, readable
from neutral import build, packages

PATH = pathlib.Path(__file__).parent.parent / "vectors" / "keys.json"
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text())["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_vector_has_its_bytes(vector: dict[str, Any]) -> None:
    missing = [name for name in packages(vector["value"]) if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{missing} not installed")
    assert canonical(build(vector["value"])).hex() == vector["hex"]
    assert readable(bytes.fromhex(vector["hex"]))


def test_a_second_implementation_agrees() -> None:
    reference = pytest.importorskip("reference", reason="blake3 is not installed", exc_type=ImportError)
    for vector in VECTORS:
        assert reference.key(vector["value"]).hex() == vector["hex"], vector["id"]


def test_there_are_enough_vectors_of_every_kind() -> None:
    assert len(VECTORS) >= 150
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)

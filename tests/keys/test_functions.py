"""The vectors of `tests/vectors/functions.json`: a call has the same stored name here and in Rust."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from everwarm import Cache
from neutral import build

PATH = pathlib.Path(__file__).parent.parent / "vectors" / "functions.json"
VECTORS: list[dict[str, Any]] = json.loads(PATH.read_text())["vectors"]


def function(parameters: list[str]) -> Any:
    """A function of parameters with these names."""
    names = ", ".join(parameters)
    return eval(f"lambda {names}: None")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_call_has_its_stored_name(vector: dict[str, Any]) -> None:
    shop = Cache(namespace=vector["namespace"])
    decorate = shop(name=vector["name"], version=vector["version"], key=vector["key"])
    decorated = decorate(function(vector["parameters"]))
    assert decorated.key(*map(build, vector["arguments"])) == vector["stored"]


def test_no_two_vectors_share_a_name() -> None:
    assert len({vector["stored"] for vector in VECTORS}) == len({vector["id"] for vector in VECTORS}) >= 15

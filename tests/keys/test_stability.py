"""A key is the same in every process, under every hash seed and every Python version."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
PROGRAM = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from neutral import build, packages
from everwarm._native import canonical, digest
vectors = json.loads((pathlib.Path(sys.argv[1]).parent / "vectors" / "keys.json").read_text())["vectors"]
plain = [vector for vector in vectors if not packages(vector["value"])]
for vector in plain:
    assert canonical(build(vector["value"])).hex() == vector["hex"], vector["id"]
many = range(500)
mixed = {"names": {f"n{at}" for at in many}, "pairs": {str(at): at for at in many}, int: frozenset("ab")}
print(len(plain), digest(mixed).hex(), canonical(mixed).hex())
"""


def interpreters() -> list[str]:
    """This interpreter and those of `TESTS_PYTHONS`."""
    listed = [path for path in os.environ.get("TESTS_PYTHONS", "").split(os.pathsep) if path]
    return list(dict.fromkeys([sys.executable, *listed]))


def ask(interpreter: str, seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [interpreter, "-c", PROGRAM, str(HERE)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected() -> str:
    return ask(sys.executable, "0")


@pytest.mark.parametrize("seed", ["1", "42", "4294967295", "random"])
def test_a_hash_seed_changes_no_key(seed: str, expected: str) -> None:
    assert ask(sys.executable, seed) == expected


@pytest.mark.parametrize("interpreter", interpreters()[1:] or ["no other interpreter"])
def test_a_python_version_changes_no_key(interpreter: str, expected: str) -> None:
    if not pathlib.Path(interpreter).exists():
        pytest.skip("NOT SHOWN: no other interpreter; name some in TESTS_PYTHONS")
    probe = subprocess.run([interpreter, "-c", "import everwarm._native"], capture_output=True, timeout=60)
    if probe.returncode:
        pytest.skip(f"NOT SHOWN: {interpreter} does not have the built package")
    assert ask(interpreter, "7") == expected

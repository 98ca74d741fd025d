"""The envelopes of `tests/golden`, opened by a reader that shares nothing with the one in Rust."""

import importlib.util
import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from project import ROOT

pytestmark = [pytest.mark.once, pytest.mark.libraries]

for library in ("cryptography", "lz4", "xxhash", "zstandard"):
    pytest.importorskip(library)

GOLDEN = ROOT / "tests" / "golden"
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text())
MASTERS = {7: bytes.fromhex(MANIFEST["master_key"])}


def reader() -> Any:
    spec = importlib.util.spec_from_file_location("read_envelope", GOLDEN / "read_envelope.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["read_envelope"] = module
    spec.loader.exec_module(module)
    return module


golden = reader()


def binding(row: dict[str, Any]) -> Any:
    fields = dict(row["binding"])
    for name in ("tenant", "key"):
        fields[name] = bytes.fromhex(fields[name])
    return golden.Binding(**fields)


def read(row: dict[str, Any]) -> bytes:
    return (GOLDEN / row["file"]).read_bytes()


@pytest.fixture(params=MANIFEST["envelopes"], ids=lambda row: row["file"])
def row(request: pytest.FixtureRequest) -> dict[str, Any]:
    row: dict[str, Any] = request.param
    return row


def test_a_golden_envelope_says_what_the_manifest_says(row: dict[str, Any]) -> None:
    opened = golden.read_envelope(read(row), binding(row), MASTERS)
    assert opened["meta"] == row["meta"]
    assert opened["payload"] == bytes.fromhex(row["payload"])
    assert opened["compression"] == row["compression"]


def test_a_golden_envelope_is_bound_to_each_field(row: dict[str, Any]) -> None:
    own = binding(row)
    for field in ("namespace", "function", "schema"):
        other = replace(own, **{field: getattr(own, field) + "x"})
        with pytest.raises(golden.Refused):
            golden.read_envelope(read(row), other, MASTERS)
    for field in ("tenant", "key"):
        other = replace(own, **{field: getattr(own, field) + b"x"})
        with pytest.raises(golden.Refused):
            golden.read_envelope(read(row), other, MASTERS)


def test_a_golden_envelope_is_refused_when_its_last_byte_changes(row: dict[str, Any]) -> None:
    envelope = bytearray(read(row))
    envelope[-1] ^= 1
    with pytest.raises(golden.Refused):
        golden.read_envelope(bytes(envelope), binding(row), MASTERS)


def test_every_file_is_in_the_manifest() -> None:
    listed = {row["file"] for row in MANIFEST["envelopes"]}
    assert {file.name for file in GOLDEN.glob("*.bin")} == listed

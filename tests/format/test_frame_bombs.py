"""A stream of Arrow that would unpack to far more than its bytes is refused before a library reads it."""

from __future__ import annotations

import pathlib
import tracemalloc
from typing import Any

import everwarm
import pytest
from everwarm import Cache, _format_frames
from everwarm._format import format_of
from everwarm._native import Format, decode, encode

pytestmark = pytest.mark.libraries
np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

PLAN = Format("msgpack")
ARROW = format_of("arrow")
PANDAS_FRAME, PANDAS_SERIES, POLARS_FRAME, POLARS_SERIES, TABLE = range(72, 77)
SAID: dict[int, Any] = {72: {}, 73: {"name": "value"}, 74: None, 75: "value", 76: None}


def stream(table: Any, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def stored(kind: int, content: bytes) -> bytes:
    """The value of our own format that has a stream in it."""
    body = encode(SAID[kind], PLAN) + b"\0" + content
    return b"\xc9" + len(body).to_bytes(4, "big") + bytes([kind]) + body


def for_all(kind: int, content: bytes) -> bytes:
    """The same stream, whose schema says what it was made from."""
    table = pa.ipc.open_stream(content).read_all()
    compression = "zstd" if len(content) < table.nbytes else None
    return stream(table.replace_schema_metadata({"everwarm": str(kind)}), compression=compression)


def refused(data: bytes, plan: Format = PLAN) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            decode(data, plan)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    before = pa.default_memory_pool().max_memory()
    assert peak < 4_000_000 + 16 * len(data) and pa.default_memory_pool().max_memory() == before


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("kind", SAID)
def test_a_compressed_stream_is_refused(kind: int, compression: str) -> None:
    column = pa.array(np.zeros(1 << 20, dtype="i8"))
    for of in (column, column.dictionary_encode()):
        content = stream(pa.table({"value": of}), compression=compression)
        refused(stored(kind, content))
    if kind in (PANDAS_FRAME, POLARS_FRAME, TABLE):
        refused(for_all(kind, stream(pa.table({"value": column}), compression=compression)), ARROW)


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize(
    "column",
    [
        lambda: pa.nulls(1 << 30),
        lambda: pa.array([b""] * 4, pa.binary(0)).take(pa.array(np.zeros(1 << 20, "i8"))),
        lambda: pa.StructArray.from_arrays([pa.nulls(1 << 20)], ["a"]),
    ],
)
def test_cells_without_bytes_are_bounded(kind: int, column: Any) -> None:
    refused(stored(kind, stream(pa.table({"value": column()}))))


def shared() -> dict[str, Any]:
    text, at = pa.array(["x" * 10_000]), pa.array(np.zeros(1000, "i4"))
    categories = pa.DictionaryArray.from_arrays(at, text)
    return {
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([1000], pa.int32()), text),
        "dictionary in a structure": pa.StructArray.from_arrays([categories], ["a"]),
        "views of lists": pa.ListViewArray.from_arrays(
            at, pa.array(np.full(1000, 1000, "i4")), pa.array(np.zeros(1000))
        ),
        "views of texts": pa.array(["x" * 10_000] * 10, pa.string_view()),
    }


@pytest.mark.parametrize("name", shared())
def test_rows_that_share_their_bytes_are_no_frame_of_pandas(name: str) -> None:
    table = pa.table({"value": shared()[name]})
    for kind in (PANDAS_FRAME, PANDAS_SERIES):
        refused(stored(kind, stream(table)))
    refused(stream(table.replace_schema_metadata({"everwarm": str(PANDAS_FRAME)})), ARROW)
    # A table of pyarrow has them as they are.
    assert decode(encode(table, PLAN), PLAN).equals(table)


def test_columns_that_share_their_bytes_are_refused() -> None:
    content = bytearray(stream(pa.table({"a": np.arange(1000), "b": np.arange(1000)})))
    # Where the buffer of the second column begins: behind the first.
    place = content.index((8000).to_bytes(8, "little") + (0).to_bytes(8, "little"))
    assert decode(stored(TABLE, bytes(content)), PLAN)
    content[place - 8 : place] = bytes(8)
    content[place : place + 8] = (16_000).to_bytes(8, "little")
    refused(stored(TABLE, bytes(content)))


def test_a_dictionary_comes_whole() -> None:
    first = pa.array(["a", "b"]).dictionary_encode()
    second = pa.DictionaryArray.from_arrays(pa.array([0, 2], pa.int32()), pa.array(["a", "b", "c"]))
    chunked = pa.table({"value": pa.chunked_array([first, second])})
    assert decode(stored(TABLE, stream(chunked)), PLAN).equals(chunked)
    refused(stored(TABLE, stream(chunked, emit_dictionary_deltas=True)))


@pytest.mark.parametrize("dtype", ["|S0", "<U0", "|V0"])
def test_elements_without_bytes_are_bounded(dtype: str) -> None:
    body = encode([dtype, [1 << 40], "C"], PLAN) + b"\0"
    refused(bytes([0xC7, len(body), 64]) + body)
    few = np.ndarray((1000,), dtype)
    assert decode(encode(few, PLAN), PLAN).shape == (1000,)
    with pytest.raises(everwarm.ValueRefused, match="no bytes"):
        encode(np.broadcast_to(few[:1], (1 << 20,)), PLAN)


@pytest.mark.parametrize(
    "value", [lambda: pa.table({"a": pa.nulls(1 << 20)}), lambda: pd.DataFrame({"a": [None] * (1 << 20)})]
)
def test_what_would_not_be_read_is_not_written(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused, match="more cells than bytes"):
        encode(value(), PLAN)
    with pytest.raises(everwarm.ValueRefused, match="more cells than bytes"):
        encode(value(), ARROW)


def test_frames_of_many_rows_are_kept() -> None:
    frame = pd.DataFrame({"flag": np.zeros(1 << 20, bool), "n": [None] * (1 << 20), "i": np.arange(1 << 20)})
    assert decode(encode(frame, PLAN), PLAN).equals(frame)
    columns = pl.DataFrame(
        {"flag": [True, None] * (1 << 18), "text": ["x", "a longer text than that"] * (1 << 18)}
    )
    assert decode(encode(columns, PLAN), PLAN).equals(columns)


def test_pyarrow_is_to_be_one_that_runs_nothing_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(pa.table({"a": [1]}), PLAN)
    for version, is_safe in (("14.0.0", False), ("9.1", False), ("14.0.1", True), ("15.0.0.dev1", True)):
        monkeypatch.setattr(pa, "__version__", version)
        if is_safe:
            assert decode(data, PLAN).num_rows == 1
            continue
        with pytest.raises(everwarm.ValueRefused, match="CVE-2023-47248.*14.0.1 or later"):
            encode(pa.table({"a": [1]}), PLAN)
        with pytest.raises(ValueError):
            decode(data, PLAN)


@pytest.mark.parametrize("form", ["msgpack", "arrow"])
@pytest.mark.parametrize(
    "value", [lambda: pa.table({"a": np.zeros(1 << 20)}), lambda: pd.DataFrame({"a": np.zeros(1 << 20)})]
)
def test_a_bomb_in_a_store_is_a_miss(tmp_path: pathlib.Path, form: str, value: Any) -> None:
    """As if written by one who has other writers than ours."""
    with Cache([f"file://{tmp_path}"], format=form) as cache:
        with pytest.MonkeyPatch.context() as other:
            other.setattr(_format_frames, "check_stream", lambda content: None)
            other.setattr(
                _format_frames,
                "_stream_of",
                lambda pa, table: pa.py_buffer(stream(table, compression="zstd")),
            )
            cache.set("k", value())
            assert cache.get("k").equals(value())
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.value")) < 100_000
        assert cache.get("k") is None
        assert cache.tiers()[0].refused == {"unreadable": 1}

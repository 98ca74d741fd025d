"""Frames, series and tables: equal with their index, types and attributes, or refused."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from typing import Any

import everwarm
import pytest
from everwarm._format import format_of
from everwarm._native import Format, decode, encode
from vector_values import PATH

pytestmark = pytest.mark.libraries
np = pytest.importorskip("numpy")
pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")

PLAN = Format("msgpack")


def dated() -> Any:
    frame = pd.DataFrame(
        {"x": [1, 2]}, index=pd.date_range("2024", periods=2, tz="Europe/Berlin", name="when")
    )
    frame.attrs = {"unit": (1, "m")}
    frame.flags.allows_duplicate_labels = False
    return frame


PANDAS = {
    "plain": lambda: pd.DataFrame({"i": [1, 2], "f": [1.5, None], "s": ["a", None], "b": [True, False]}),
    "empty": lambda: pd.DataFrame(),
    "numbered": lambda: pd.DataFrame([[1, 2.5], [3, 4.5]]),
    "dated": dated,
    "levels": lambda: pd.DataFrame(
        {"x": [1]}, index=pd.MultiIndex.from_tuples([(1, "a")], names=["n", None])
    ),
    "categories": lambda: pd.DataFrame({"c": pd.Categorical(["b", "a"], ["b", "a"], ordered=True)}),
    "times": lambda: pd.DataFrame({"t": pd.to_datetime(["2024-01-01", None]), "d": pd.to_timedelta([1, 2])}),
    "nullable": lambda: pd.DataFrame(
        {"i": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}
    ),
    "days": lambda: pd.DataFrame({"d": [datetime.date(2024, 1, 1), None]}),
    "named": lambda: pd.Series([1.5, 2.5], name=("a", 1)),
    "nameless": lambda: pd.Series(["x", None], index=["a", "b"]),
    "small": lambda: pd.Series([1, 2], dtype="uint8"),
    "stepped": lambda: pd.Series([1, 2], index=range(4, 0, -2)),
}


@pytest.mark.parametrize("name", PANDAS)
def test_pandas(name: str) -> None:
    value = PANDAS[name]()
    back = decode(encode([value], PLAN), PLAN)[0]
    compare = (
        pd.testing.assert_series_equal if isinstance(value, pd.Series) else pd.testing.assert_frame_equal
    )
    compare(back, value, check_freq=True, check_flags=True, check_exact=True)
    assert type(back) is type(value) and back.attrs == value.attrs
    if len(back) and name != "categories":
        back.iloc[0] = back.iloc[-1]
    compare(decode(encode(value, PLAN), PLAN, True), value)


@pytest.mark.parametrize(
    "value",
    [
        lambda: pd.Timestamp(1704067200123456789),
        lambda: pd.Timestamp("2024-01-01"),
        lambda: pd.Timestamp("2024-10-27T01:30", tz="UTC").tz_convert("Europe/Berlin"),
        lambda: pd.Timestamp("2024-01-01", tz=datetime.timezone.utc),
        lambda: pd.Timestamp("2024-01-01").replace(fold=1),
        lambda: pd.Timedelta("1h"),
        lambda: pd.Timedelta(-5, "s").as_unit("s"),
        lambda: pd.NaT,
        lambda: pd.NA,
    ],
)
def test_scalars_of_pandas(value: Any) -> None:
    value = value()
    [back] = decode(encode([value], PLAN), PLAN)
    assert type(back) is type(value) and repr(back) == repr(value)
    if value is pd.NaT or value is pd.NA:
        assert back is value
    else:
        assert (back.unit, getattr(back, "fold", 0)) == (value.unit, getattr(value, "fold", 0))


@pytest.mark.parametrize(
    "value",
    [
        lambda: pd.DataFrame({"o": [1, "a"]}),
        lambda: pd.DataFrame({"o": [object()]}),
        lambda: pd.DataFrame({"o": pd.Series([1, 2], dtype=object)}),
        lambda: pd.DataFrame({"o": pd.Series([True, None], dtype=object).where([True, False], np.nan)}),
        lambda: pd.DataFrame({"o": [(1, 2)]}),
        lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]),
        lambda: pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", 1)])),
        lambda: pd.DataFrame({"c": [1 + 2j]}),
        lambda: type("Mine", (pd.DataFrame,), {})({"a": [1]}),
        lambda: pd.Series([1], name=object()),
        lambda: pl.DataFrame({"o": [object()]}),
        lambda: pl.LazyFrame({"a": [1]}),
        lambda: pa.array([1]),
    ],
)
def test_what_would_come_back_as_another_is_refused(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused, match="\nhint: "):
        encode(value(), PLAN)


POLARS = {
    "plain": lambda: pl.DataFrame({"i": [1, None], "f": [1.5, float("nan")], "s": ["a", None]}),
    "nested": lambda: pl.DataFrame({"l": [[1], []], "r": [{"a": 1}, {"a": None}]}),
    "empty": lambda: pl.DataFrame(),
    "categories": lambda: pl.DataFrame({"c": pl.Series(["a"], dtype=pl.Categorical)}),
    "closed": lambda: pl.DataFrame({"c": pl.Series(["a"], dtype=pl.Enum(["b", "a"]))}),
    "times": lambda: pl.DataFrame({"t": [datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)]}),
    "series": lambda: pl.Series("s", [1, None], dtype=pl.UInt8),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars(name: str) -> None:
    value = POLARS[name]()
    for zero_copy in (False, True):
        back = decode(encode((value,), PLAN), PLAN, zero_copy)[0]
        assert type(back) is type(value) and back.equals(value, null_equal=True)
        if isinstance(value, pl.Series):
            assert (back.name, back.dtype) == (value.name, value.dtype)
        else:
            assert back.schema == value.schema


def test_tables_without_a_copy() -> None:
    table = pa.table({"a": range(1000), "f": [float("nan")] * 1000}).replace_schema_metadata({"k": "v"})
    data = encode(table, PLAN)
    back = decode(data, PLAN, True)
    assert back.schema.equals(table.schema, check_metadata=True) and back["a"].equals(table["a"])
    where = np.frombuffer(data, np.uint8)
    assert np.shares_memory(where, np.frombuffer(back["a"].chunk(0).buffers()[1], np.uint8))


def test_a_stream_for_all_to_read() -> None:
    plan = format_of("arrow")
    plain, table = pd.DataFrame({"a": [1, 2]}), pa.table({"a": [1]}, metadata={"k": "v"})
    for value in (plain, pl.DataFrame({"s": ["x"]}), table):
        data = encode(value, plan)
        assert pa.ipc.open_stream(data).read_all().num_rows == len(value)
        back = decode(data, plan)
        assert type(back) is type(value) and back.equals(value)
    assert decode(encode(table, plan), plan).schema.equals(table.schema, check_metadata=True)
    data = encode(pa.table({"a": range(1000)}), plan)
    [chunk] = decode(data, plan, True)["a"].chunks
    assert np.shares_memory(np.frombuffer(data, np.uint8), np.frombuffer(chunk.buffers()[1], np.uint8))
    for value in ([1], plain["a"], dated(), None, table.replace_schema_metadata({"everwarm": "1"})):
        with pytest.raises(everwarm.ValueRefused):
            encode(value, plan)
    for data in (b"", b"\xff\xff\xff\xff", encode(plain, plan)[:-50]):
        with pytest.raises(ValueError):
            decode(data, plan)


CHILD = """
import sys
from damage import damaged, escapes
from everwarm._native import Format, decode

PLAN = Format("msgpack")

def read(data):
    value = decode(data, PLAN)
    # pandas cannot show a time beyond the year 9999, which it can hold.
    if hasattr(value, "__len__"):
        repr(value)
    if hasattr(value, "to_pandas"):
        repr(value.to_pandas())

print(escapes(read, damaged(int(sys.argv[1]), "frames")))
"""


def test_damaged_frames_are_read_or_refused() -> None:
    # In a process of its own: what a library does to it with a damaged stream must be seen from outside.
    path = ":".join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "2000"], env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr[-2000:]


def test_there_are_frames_to_be_damaged() -> None:
    assert sum(vector["group"] == "frames" for vector in json.loads(PATH.read_text())["vectors"]) == 10

"""Arrays and frames, by content."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from everwarm._errors import KeyRefused
from everwarm._native import canonical


def all_differ(values: list[Any]) -> bool:
    return len({canonical(value) for value in values}) == len(values)


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    base = np.arange(12, dtype="<i8")
    grid = base.reshape(3, 4)
    assert canonical(grid.T) == canonical(np.ascontiguousarray(grid.T)) != canonical(grid)
    assert canonical(base[::2]) == canonical(base[::2].copy())
    assert canonical(np.asfortranarray(grid)) == canonical(grid)
    assert all_differ(
        [base, grid, base.astype("<i4"), base.astype("<f8"), base.astype(">i8"), base.tolist(), base + 1]
    )
    assert all_differ(
        [np.float64(1), np.float32(1), np.int64(1), np.bool_(True), np.str_("1"), 1, 1.0, np.array(1)]
    )
    assert all_differ([np.array([1, "a"], dtype=object), np.array([True, "a"], dtype=object)])
    large = np.zeros(10**6)
    before = canonical(large)
    large[-1] = 1
    assert canonical(large) != before and len(before) < 100


def test_padding_is_no_content() -> None:
    np = pytest.importorskip("numpy")
    layout = np.dtype([("a", "i1"), ("b", "<i8")], align=True)
    one, other = np.empty(2, layout), np.empty(2, layout)
    one.view("u1")[:], other.view("u1")[:] = 0, 255
    for array in (one, other):
        array["a"], array["b"] = 1, 2
    assert one.tobytes() != other.tobytes()
    assert canonical(one) == canonical(other)
    assert canonical(one[0]) == canonical(other[0])
    with pytest.raises(KeyRefused, match="padding"):
        canonical(np.zeros(1, np.longdouble))


def test_a_view_is_its_numbers_and_never_addresses() -> None:
    np = pytest.importorskip("numpy")
    assert all_differ([memoryview(b"ab"), memoryview(b"ab").cast("c"), memoryview(np.arange(2)), b"ab"])
    assert canonical(memoryview(b"abcd")[::2]) == canonical(memoryview(b"ac"))
    for held in (np.array([object()]), np.zeros(1, [("a", "i1"), ("b", "i8")])):
        with pytest.raises(KeyRefused, match="format is not that of one number"):
            canonical(memoryview(held))
    with pytest.raises(KeyRefused, match="part of an array"):
        canonical(np.dtype(("f8", (2,))))


def test_numpy_refuses_what_has_more_than_its_elements() -> None:
    np = pytest.importorskip("numpy")
    with pytest.raises(KeyRefused, match=r"subclass of `numpy\.ndarray`"):
        canonical(np.ma.array([1]))
    with pytest.raises(KeyRefused, match=r"field `\[1\]`|field `\[0\]`|object"):
        canonical(np.array([1, object()], dtype=object))


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    series = pd.Series([1, 2], name="a")
    assert canonical(series) == canonical(series.copy())
    assert all_differ(
        [
            series,
            series.rename("b"),
            series.astype("float64"),
            series.astype("Int64"),
            pd.Series([1, 2], index=[1, 2], name="a"),
            series.to_frame(),
            pd.Index([1, 2], name="a"),
            series.astype("category"),
            pd.Series(["1", "2"], name="a"),
            pd.Series([1, None], name="a", dtype="Int64"),
            pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]), name="a"),
            pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True), name="a"),
        ]
    )
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert canonical(frame) == canonical(frame.copy())
    assert all_differ(
        [frame, frame[["b", "a"]], frame.rename(columns={"a": "c"}), frame.set_index("a"), frame.iloc[::-1]]
    )
    assert all_differ(
        [pd.CategoricalIndex(["a"], ["a", "b"]), pd.CategoricalIndex(["a"], ["a"]), pd.Index(["a"])]
    )
    assert canonical(pd.MultiIndex.from_tuples([(1, "a")])) != canonical(
        pd.MultiIndex.from_tuples([(1, "b")])
    )
    stamp = pd.Timestamp("2024-01-01")
    assert all_differ(
        [
            stamp,
            stamp.tz_localize("UTC"),
            stamp.to_pydatetime(),
            stamp.to_datetime64(),
            pd.Timedelta(1),
            pd.NaT,
            pd.NA,
        ]
    )
    assert canonical(pd.Timestamp(1, unit="ns")) != canonical(pd.Timestamp(2, unit="ns"))
    with pytest.raises(KeyRefused, match="Interval"):
        canonical(pd.Series(pd.interval_range(0, 2)))


def test_polars() -> None:
    pl = pytest.importorskip("polars")
    series = pl.Series("a", [1, 2])
    assert canonical(series) == canonical(pl.Series("a", [1, 2]))
    assert all_differ(
        [
            series,
            series.alias("b"),
            series.cast(pl.Int32),
            series.cast(pl.Float64),
            pl.Series("a", [1, None]),
            pl.Series("a", [None, 1]),
            series.to_frame(),
            pl.Series("a", ["1", "2"]),
            pl.Series("a", [[1], [2]]),
            pl.Series("a", [{"x": 1}, {"x": 2}]),
            pl.Series("a", ["x"], dtype=pl.Enum(["x"])),
            pl.Series("a", ["x"], dtype=pl.Enum(["x", "y"])),
            pl.DataFrame(),
        ]
    )
    assert all_differ([pl.Series([2**100 + at], dtype=pl.Int128) for at in range(3)])
    fine = [pl.Series([at], dtype=pl.Int64).cast(pl.Datetime("ns")) for at in (1, 2)]
    assert all_differ(fine)
    with pytest.raises(KeyRefused, match="coarser"):
        canonical(pl.Series([[datetime.time(1)]]))
    with pytest.raises(KeyRefused, match="LazyFrame"):
        canonical(pl.LazyFrame())

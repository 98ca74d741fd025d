"""Long values from a store lie where they were read: nothing copies them once more."""

from __future__ import annotations

import tracemalloc

import pytest

pytestmark = pytest.mark.libraries

SIZE = 4 << 20


def owner(view):
    """The object that the bytes of an array or a view belong to."""
    while (behind := getattr(view, "obj", None) or getattr(view, "base", None)) is not None:
        view = behind
    return view


def read_again(place, make, **keywords):
    """A value that one cache has stored, as another reads it, and what Python allocated at most."""
    if place.kind == "memcached":
        pytest.skip("its values are smaller than these")
    place.cache(memory=False, **keywords)(name="load", depends_on="nothing")(make)()
    load = place.cache(memory=False, **keywords)(name="load", depends_on="nothing")(
        lambda: pytest.fail("it is stored")
    )
    tracemalloc.start()
    try:
        value = load()
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("keywords", [{}, {"compression": "lz4"}], ids=["plain", "compressed"])
def test_arrays(place, keywords):
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(SIZE // 8, dtype="f8")
    back, most = read_again(place, lambda: array, **keywords)
    assert (back == array).all() and not back.flags.writeable and back.flags.aligned
    if place.kind in ("file", "redis", "http") and not keywords:
        return  # behind the heads of these nothing lies aligned, and arrays that do not are copied
    assert most < SIZE // 8, "no copy"
    assert numpy.shares_memory(back, numpy.frombuffer(owner(back), "u1"))
    with pytest.raises(ValueError, match="read-only"):
        back[0] = 1
    back = back.copy()
    back[0] = 1


def test_arrays_within_other_values(place):
    numpy = pytest.importorskip("numpy")
    array = numpy.ones(SIZE, "u1")
    back, most = read_again(place, lambda: {"a": [array], "b": array[:9]})
    assert most < SIZE // 8 and owner(back["a"][0]) is owner(back["b"])


def test_tables(place):
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"a": range(SIZE // 8)})
    back, most = read_again(place, lambda: table)
    assert back.equals(table) and most < SIZE // 8


def test_views(place):
    back, most = read_again(place, lambda: memoryview(bytes(SIZE)))
    assert type(back) is memoryview and back == bytes(SIZE) and back.readonly
    assert most < SIZE // 8


def test_bytes_stay_bytes(place):
    back, _ = read_again(place, lambda: bytes(SIZE))
    assert type(back) is bytes and back == bytes(SIZE)


def test_what_is_short_is_ones_own(place):
    numpy = pytest.importorskip("numpy")
    back, _ = read_again(place, lambda: numpy.arange(10))
    back[0] = 5


def test_frames_can_be_changed(place):
    pd = pytest.importorskip("pandas")
    back, _ = read_again(place, lambda: pd.DataFrame({"a": range(SIZE // 64)}))
    back.loc[0, "a"] = 7
    assert back["a"][0] == 7

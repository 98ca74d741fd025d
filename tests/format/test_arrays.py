"""Arrays and scalars of numpy: the same dtype, shape, values and order, with a copy or without."""

from __future__ import annotations

import mmap
import pathlib
from typing import Any

import everwarm
import pytest
from everwarm._native import Format, decode, encode
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.libraries
np = pytest.importorskip("numpy")
arrays = pytest.importorskip("hypothesis.extra.numpy")

PLAN = Format("msgpack")

SCALARS = st.one_of(
    arrays.scalar_dtypes(),
    arrays.unicode_string_dtypes(max_len=5),
    arrays.byte_string_dtypes(max_len=5),
)
DTYPES = st.one_of(SCALARS, arrays.array_dtypes(SCALARS), arrays.nested_dtypes(SCALARS))


def alike(one: Any, two: Any) -> bool:
    """The same type, dtype, shape and bytes of values; both kinds of order are kept where they apply."""
    return (
        type(one) is type(two)
        and one.dtype == two.dtype
        and one.shape == two.shape
        and (one.flags.c_contiguous or two.flags.f_contiguous or not one.flags.f_contiguous)
        and repr(one.tolist()) == repr(two.tolist())
    )


@given(st.data())
def test_what_comes_back_is_what_went_in(data: st.DataObject) -> None:
    dtype = data.draw(DTYPES)
    array = data.draw(arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0, max_side=4)))
    if data.draw(st.booleans()):
        array = np.asfortranarray(array)
    if array.ndim and data.draw(st.booleans()):
        array = array[::-2]
    for zero_copy in (False, True):
        back = decode(encode(array, PLAN), PLAN, zero_copy)
        assert alike(array, back)
        assert back.flags.writeable is not zero_copy


@pytest.mark.parametrize(
    "text",
    [
        "f8",
        "f4",
        "f2",
        "i1",
        "u8",
        "?",
        "c8",
        "g",
        "G",
        "M8[ns]",
        "m8[us]",
        "U3",
        "S3",
        "V3",
        ">f8",
        ">g",
        ">U2",
    ],
)
def test_scalars(text: str) -> None:
    dtype = np.dtype(text)
    scalar = np.zeros(1, dtype)[0] if dtype.kind in "USVMm" else dtype.type(1)
    back = decode(encode(scalar, PLAN), PLAN)
    assert type(back) is type(scalar) and back == scalar and back.dtype == scalar.dtype


@pytest.mark.parametrize("text", ["g", "G", ">g", ">G"])
def test_long_doubles(text: str) -> None:
    array = (np.arange(6, dtype="g") / 7).astype(text).reshape(2, 3)
    for each in (array, np.asfortranarray(array), array[:, ::2]):
        first, second = encode(each, PLAN), encode(each.copy(order="K"), PLAN)
        assert first == second and alike(each, decode(first, PLAN))


def test_what_lies_between_fields_is_not_written() -> None:
    dtype = np.dtype([("a", "i1"), ("b", "f8", (2,)), ("c", [("d", "i2"), ("e", "f8")])], align=True)
    one, two = np.ones(3, dtype), np.ones(3, dtype)
    one.view(np.uint8)[1:8] = 7
    assert one.tobytes() != two.tobytes()
    assert encode(one, PLAN) == encode(two, PLAN)
    assert encode(one[0], PLAN) == encode(two[0], PLAN)
    assert decode(encode(one, PLAN), PLAN).dtype.isalignedstruct


@pytest.mark.parametrize(
    "value",
    [
        lambda: np.array([None]),
        lambda: np.array([(1, None)], [("a", "i1"), ("b", "O")]),
        lambda: np.ma.array([1]),
        lambda: np.zeros(3).view(type("Mine", (np.ndarray,), {})),
        lambda: np.rec.array([(1,)], [("a", "i1")]),
        lambda: np.array([(1,)], [("a", "g")]),
        lambda: np.array([1], np.dtype("i4", metadata={"a": 1})),
        lambda: np.array([(1,)], np.dtype({"a": ("i4", 0, (1,))})),
        lambda: np.str_("a\0"),
        lambda: np.dtype("i4"),
    ],
)
def test_what_would_come_back_as_another_is_refused(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused, match=r"^`result\[0\]`, of type "):
        encode([value()], PLAN)


def test_no_copy_is_made_where_that_is_asked_for(tmp_path: pathlib.Path) -> None:
    array = np.arange(5000, dtype="f8").reshape(50, 100)
    data = encode({"deep": [(array, array.T)]}, PLAN)
    file = tmp_path / "value"
    file.write_bytes(data)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        where = np.frombuffer(mapped, np.uint8)
        [(one, two)] = decode(mapped, PLAN, True)["deep"]
        for back in (one, two):
            assert np.shares_memory(back, where) and back.flags.aligned and not back.flags.writeable
        assert (one == array).all() and (two == array.T).all()
        del one, two, back, where
    [(copy, _)] = decode(data, PLAN)["deep"]
    copy[0] = 1
    # A buffer that may change under its reader is always copied.
    changing = bytearray(data)
    [(safe, _)] = decode(changing, PLAN, True)["deep"]
    changing[:] = bytes(len(changing))
    assert (safe == array).all()

"""Views of memory, arrays of the standard library and numpy's texts of variable width."""

from __future__ import annotations

from array import array
from typing import Any

import everwarm
import pytest
from everwarm._format import format_of
from everwarm._native import decode, encode

PLAN = format_of()

VIEWS = {
    "bytes": lambda: memoryview(b"abc"),
    "empty": lambda: memoryview(b""),
    "changing": lambda: memoryview(bytearray(b"abc")),
    "steps": lambda: memoryview(b"abcdef")[::2],
    "shorts": lambda: memoryview(array("h", [1, -2])),
    "doubles": lambda: memoryview(array("d", [1.5, float("inf")])),
    "table": lambda: memoryview(bytes(range(6))).cast("B", [2, 3]),
    "letters": lambda: memoryview(b"ab").cast("c"),
}


@pytest.mark.parametrize("zero_copy", [False, True])
@pytest.mark.parametrize("name", VIEWS)
def test_views_come_back(name: str, zero_copy: bool) -> None:
    view = VIEWS[name]()
    data = encode([view], PLAN)
    [back] = decode(data, PLAN, zero_copy)
    assert type(back) is memoryview and back.readonly
    assert (back.format, back.shape, back.tolist()) == (view.format, view.shape, view.tolist())


@pytest.mark.parametrize("code", "bBhHiIlLqQfd")
def test_arrays_come_back(code: str) -> None:
    for numbers in array(code, [1, 2, 100]), array(code):
        back = decode(encode(numbers, PLAN), PLAN)
        assert type(back) is array and back.typecode == code and back == numbers
        back.append(3)


def test_an_array_of_letters_comes_back() -> None:
    letters = array("u", "aé\U0001f600")
    back = decode(encode(letters, PLAN), PLAN)
    assert back.typecode == "u" and back.tounicode() == letters.tounicode()


@pytest.mark.parametrize(
    "value",
    [
        lambda: _released(),
        lambda: memoryview(bytearray(8)).cast("P"),
        lambda: memoryview(b"a").cast("B", []),
        lambda: type("Mine", (array,), {})("b"),
    ],
    ids=["released", "pointers", "one", "subclass"],
)
def test_what_cannot_be_made_again_is_refused(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused):
        encode(value(), PLAN)


def _released() -> memoryview:
    view = memoryview(b"a")
    view.release()
    return view


@pytest.mark.parametrize("value", [*(VIEWS[name]() for name in VIEWS), array("d", [1.5]), array("u", "a")])
def test_damaged_ones_are_read_or_refused(value: Any) -> None:
    data = encode(value, PLAN)
    for at in range(len(data)):
        for byte in range(256):
            damaged = data[:at] + bytes([byte]) + data[at + 1 :]
            try:
                repr(decode(damaged, PLAN))
            except (ValueError, LookupError):
                pass
        with pytest.raises(ValueError):
            decode(data[:at], PLAN)


def test_a_long_view_lies_in_what_was_read() -> None:
    data = encode(memoryview(bytes(1 << 16)), PLAN)
    view = decode(data, PLAN, True)
    assert view.obj is data and view.readonly and view == bytes(1 << 16)
    assert type(decode(encode(bytes(1 << 16), PLAN), PLAN, True)) is bytes


@pytest.mark.libraries
class TestTexts:
    """Texts of variable width."""

    @staticmethod
    def dtype(**keywords: Any) -> Any:
        numpy = pytest.importorskip("numpy")
        return numpy.dtypes.StringDType(**keywords)

    @pytest.mark.parametrize(
        "keywords", [{}, {"coerce": False}, {"na_object": None}, {"na_object": float("nan")}]
    )
    def test_they_come_back(self, keywords: dict[str, Any]) -> None:
        numpy = pytest.importorskip("numpy")
        dtype = self.dtype(**keywords)
        texts = numpy.array([["a", "é\0"], ["", "long " * 20]], dtype)
        for given in texts, texts.T, texts[:0], texts[0]:
            back = decode(encode(given, PLAN), PLAN)
            assert back.dtype.char == "T" and back.dtype.coerce == dtype.coerce
            assert back.shape == given.shape and back.tolist() == given.tolist()
            assert back.flags.f_contiguous == given.flags.f_contiguous or given.ndim != 2
        if "na_object" in keywords:
            texts[0, 0] = keywords["na_object"]
            back = decode(encode(texts, PLAN), PLAN)
            assert repr(back.dtype.na_object) == repr(keywords["na_object"])
            assert repr(back.tolist()) == repr(texts.tolist())

    def test_another_mark_for_what_is_missing_is_refused(self) -> None:
        numpy = pytest.importorskip("numpy")
        with pytest.raises(everwarm.ValueRefused, match="missing"):
            encode(numpy.array(["a"], self.dtype(na_object="?")), PLAN)

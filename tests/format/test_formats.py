"""The other formats: JSON, pickle, and the user's own."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import everwarm
import pytest
from everwarm._format import NAMES, format_of
from everwarm._native import decode, encode
from format_classes import Point
from hypothesis import given
from hypothesis import strategies as st
from same import same

JSON = format_of("json")
PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda values: st.one_of(st.lists(values), st.dictionaries(st.text(), values)),
    max_leaves=20,
)


@given(PLAIN)
def test_json_gives_back_what_it_has_a_type_for(value: Any) -> None:
    data = encode(value, JSON)
    assert same(decode(data, JSON), value)
    assert same(json.loads(data), value)


@pytest.mark.parametrize(
    "value",
    [(1,), {1: 2}, float("nan"), float("inf"), 2**63, b"a", {1}, "\udc80", {"\udc80": 1}, 1j, Point(1)],
)
def test_json_refuses_what_would_change_its_type(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused, match=r"`result\[\"a\"\]\[0\]"):
        encode({"a": [value]}, JSON)


def test_json_has_the_same_bounds() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(everwarm.ValueRefused, match="contains itself"):
        encode(circle, JSON)
    with pytest.raises(everwarm.ValueRefused, match="larger than 10 bytes"):
        encode("x" * 9, format_of("json", limit=10))
    assert encode("x" * 8, format_of("json", limit=10)) == b'"xxxxxxxx"'


@pytest.mark.parametrize("data", [b"", b"NaN", b"[1", b"\xff", b"1 2", b"[" * 100_000, b"Infinity"])
def test_what_is_no_json_is_a_miss(data: bytes) -> None:
    with pytest.raises(ValueError):
        decode(data, JSON)


def test_pickle_takes_anything_and_says_that_it_must_be_authenticated() -> None:
    plan = format_of("pickle")
    assert decode(encode({Point(1).x: [{1}, Point]}, plan), plan) == {1: [{1}, Point]}
    assert plan.needs_authentication
    assert not any(format_of(name).needs_authentication for name in NAMES if name != "pickle")
    with pytest.raises(everwarm.ValueRefused, match="reading it raised"):
        encode(lambda: None, plan)
    with pytest.raises(ValueError):
        decode(b"junk", plan)


def test_formats_of_ones_own() -> None:
    dumps, loads = (lambda value: str(value).encode()), int
    own = SimpleNamespace(name="digits", dumps=dumps, loads=loads)
    for plan in (format_of((dumps, loads)), format_of(own)):
        assert encode(12, plan) == b"12" and decode(b"12", plan) == 12
        assert not plan.needs_authentication and plan.number >= 128
        with pytest.raises(ValueError):
            decode(b"twelve", plan)
    assert format_of(own).number != format_of((dumps, loads)).number
    with pytest.raises(everwarm.ValueRefused, match="gave `str` instead of bytes"):
        encode(1, format_of((str, int)))
    with pytest.raises(everwarm.ValueRefused, match="larger than 3 bytes"):
        encode(1234, format_of(own, limit=3))


@pytest.mark.parametrize("wrong", ["yaml", 3, (1, 2), (len,), None, SimpleNamespace(dumps=len)])
def test_what_is_no_format_is_refused(wrong: Any) -> None:
    with pytest.raises(everwarm.ConfigError, match="hint: "):
        format_of(wrong)


def test_two_pairs_without_a_name_are_two_formats() -> None:
    def made() -> Any:
        return lambda value: json.dumps(value).encode(), json.loads

    one = made()
    other = (lambda value: repr(value).encode(), json.loads)
    backwards = (lambda value: json.dumps(value).encode(), lambda data: json.loads(data[::-1]))
    numbers = {format_of(pair).number for pair in (one, other, backwards)}
    assert len(numbers) == 3 and min(numbers) >= 128
    assert format_of(one).number == format_of(made()).number
    native = {format_of((way, way)).number for way in (len, sum, repr, "".join)}
    assert len(native) == 4


def test_a_pair_that_was_changed_reads_nothing_of_the_one_before(tmp_path: Any) -> None:
    first = (lambda value: str(value).encode(), lambda data: int(data))
    then = (lambda value: str(value).encode(), lambda data: -int(data))
    for pair, found in ((first, 7), (then, None)):
        with everwarm.Cache([f"disk://{tmp_path}"], namespace="shop", format=pair) as cache:
            if pair is first:
                cache.set("k", 7)
            assert cache.get("k") == found


def test_an_interrupt_while_a_value_is_made_goes_on() -> None:
    def interrupted(_: bytes) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(b"", format_of((bytes, interrupted)))

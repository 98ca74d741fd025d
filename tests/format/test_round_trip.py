"""What comes back is what went in, at every level, or the value is refused."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import pathlib
import uuid
import zoneinfo
from typing import Any

import everwarm
import pytest
from everwarm._native import Format, decode, encode
from format_classes import ALL, Access, Box, Colour, Counted, Frozen, Level, Named, Pair, Point
from hypothesis import given
from hypothesis import strategies as st
from same import same

PLAN = Format("msgpack", None, ALL)

ZONES = st.sampled_from(
    [
        None,
        datetime.timezone.utc,
        datetime.timezone(datetime.timedelta(hours=5, minutes=30)),
        zoneinfo.ZoneInfo("Europe/Berlin"),
    ]
)
TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)
KEYS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXTS,
    st.binary(max_size=40),
    st.dates(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.tuples(st.integers(), TEXTS),
    st.sampled_from([Colour.RED, Level.LOW, Access.READ | Access.WRITE]),
)
LEAVES = st.one_of(
    KEYS,
    st.floats(),
    st.complex_numbers(),
    st.binary(max_size=300).map(bytearray),
    st.times(timezones=ZONES),
    st.datetimes(timezones=ZONES),
    st.timedeltas(),
    st.decimals(),
    st.fractions(),
    st.ip_addresses(),
    st.builds(range, st.integers(), st.integers(), st.integers(min_value=1)),
    st.builds(pathlib.PurePosixPath, st.text("abc/", max_size=9)),
)


def deeper(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(values, max_size=6)
    dicts = st.dictionaries(KEYS, values, max_size=6)
    return st.one_of(
        lists,
        dicts,
        lists.map(tuple),
        st.sets(KEYS, max_size=6),
        st.frozensets(KEYS, max_size=6),
        dicts.map(collections.OrderedDict),
        dicts.map(lambda made: collections.defaultdict(int, made)),
        st.builds(collections.deque, lists, st.sampled_from([None, 6])),
        st.builds(Point, values, values),
        st.builds(Frozen, st.just("a"), values),
        st.builds(Pair, values, values),
        st.builds(Box, values),
    )


VALUES = st.recursive(LEAVES, deeper, max_leaves=20)


@given(VALUES)
def test_what_comes_back_is_what_went_in(value: Any) -> None:
    assert same(decode(encode(value, PLAN), PLAN), value)


@given(VALUES)
def test_one_part_that_cannot_be_stored_refuses_the_whole(value: Any) -> None:
    with pytest.raises(everwarm.ValueRefused, match=r"result\[1\]\[0\]"):
        encode([value, (Named(),)], PLAN)


@given(VALUES, st.data())
def test_no_value_is_the_beginning_of_another(value: Any, data: st.DataObject) -> None:
    whole = encode(value, PLAN)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ValueError):
        decode(whole[:cut], PLAN)
    with pytest.raises(ValueError, match="behind"):
        decode(whole + b"\xc0", PLAN)


def test_shared_references_become_copies() -> None:
    inner = [1]
    one, two = decode(encode([inner, inner], PLAN), PLAN)
    assert one == two and one is not two


def test_fields_beside_the_constructor_come_back() -> None:
    counted = Counted(4)
    counted.doubled = 8
    assert counted.half == 2
    back = decode(encode(counted, PLAN), PLAN)
    assert back == counted and back.half == 2


def test_a_constructor_is_not_run_again() -> None:
    blank = object.__new__(Frozen)
    object.__setattr__(blank, "name", "")
    object.__setattr__(blank, "note", None)
    assert decode(encode(blank, PLAN), PLAN).name == ""


def test_the_interpreters_limits_are_no_limits() -> None:
    for value in (
        10**5000,
        "x" * 100_000,
        decimal.Decimal("1." + "3" * 1000),
        fractions.Fraction(2**9000, 3),
        uuid.uuid1(),
        [[[]]] * 1000,
    ):
        assert same(decode(encode(value, PLAN), PLAN), value)

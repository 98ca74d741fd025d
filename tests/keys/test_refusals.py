"""What cannot be part of a key is refused, with the place and a hint, and without its content."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
import threading
import zoneinfo
from typing import Any, NamedTuple

import pytest
from everwarm._errors import Error, KeyRefused
from everwarm._native import canonical
from vector_classes import Point


class Opaque:
    def __repr__(self) -> str:
        raise AssertionError("repr of an argument was asked for")


class Number(int):
    pass


class Text(str):
    pass


class Table(dict[str, int]):
    pass


@dataclasses.dataclass(eq=False)
class Uncompared:
    x: int = 1


@dataclasses.dataclass
class FieldsOnDict(dict[str, int]):
    x: int = 1


class Plain(Point):
    """Not a dataclass itself: what it adds is not among the fields."""


class Pair(NamedTuple):
    first: int


class PairWithMore(Pair):
    pass


class Unkeyed:
    __cache_key__ = None


def pair_with_more() -> PairWithMore:
    pair = PairWithMore(1)
    pair.more = 2  # type: ignore[attr-defined]
    return pair


def zone_without_a_name() -> zoneinfo.ZoneInfo:
    import io
    import struct

    head = b"TZif" + b"\0" * 16
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    return zoneinfo.ZoneInfo.from_file(io.BytesIO(head + counts + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"))


class Zone(datetime.tzinfo):
    pass


REFUSED: list[tuple[str, Any, str]] = [
    ("object", object(), "does not say what it consists of"),
    ("an opaque instance", Opaque(), "does not say what it consists of"),
    ("a lock", threading.Lock(), "does not say"),
    ("a function", canonical, "does not say"),
    ("a lambda", lambda: 1, "does not say"),
    ("a partial", functools.partial(int), "does not say"),
    ("a generator", (x for x in [1]), "does not say"),
    ("an iterator", iter([1]), "does not say"),
    ("a module", threading, "does not say"),
    ("a view of a dict", {}.keys(), "does not say"),
    ("an exception", ValueError("x"), "subclass of `Exception`"),
    ("a subclass of int", Number(1), "subclass of `int`"),
    ("a subclass of str", Text("x"), "subclass of `str`"),
    ("a subclass of dict", Table(), "subclass of `dict`"),
    ("a dataclass without equality", Uncompared(), "compared by identity"),
    ("a dataclass that is a dict", FieldsOnDict(), "`dict`"),
    ("a plain subclass of a dataclass", Plain(1, 2), "does not say"),
    ("a named tuple with attributes", pair_with_more(), "attributes beside its fields"),
    ("a class that opts out", Unkeyed(), "`__cache_key__` is None"),
    ("a zone without a name", zone_without_a_name(), "has no name"),
    ("a zone of one's own", datetime.datetime(2024, 1, 1, tzinfo=Zone()), "tzinfo"),
    ("a class in a function", type("Local", (), {}), "does not lead to it"),
    ("a generic alias", list[int], "does not say"),
    ("a default factory", collections.defaultdict(lambda: 1), "does not say"),
]


@pytest.mark.parametrize(
    ("value", "why"), [(value, why) for _, value, why in REFUSED], ids=[name for name, _, _ in REFUSED]
)
def test_it_is_refused_with_a_hint(value: Any, why: str) -> None:
    with pytest.raises(KeyRefused) as caught:
        canonical(value)
    message = str(caught.value)
    assert why in message
    assert "\nhint: " in message
    assert "key=" in message and "NotKeyed" in message
    assert hex(id(value))[2:] not in message
    assert isinstance(caught.value, TypeError) and isinstance(caught.value, Error)


def test_the_place_is_named_and_the_content_is_not() -> None:
    value = [{"secret": (1, Point(x="hidden", y=[Opaque()]))}]
    with pytest.raises(
        KeyRefused, match=r"argument `obj`, field `\[0\]\{value\}\[1\]\.y\[0\]`: `.*Opaque`"
    ) as caught:
        canonical(value)
    assert "secret" not in str(caught.value) and "hidden" not in str(caught.value)


def test_keys_and_elements_are_places_too() -> None:
    with pytest.raises(KeyRefused, match="field `{key}`"):
        canonical({Opaque(): 1})
    with pytest.raises(KeyRefused, match="field `{element}`"):
        canonical({Opaque()})


def test_a_cycle_is_refused() -> None:
    lists: list[Any] = []
    lists.append(lists)
    dicts: dict[str, Any] = {}
    dicts["self"] = dicts
    point = Point(1, None)
    point.y = (point,)
    for cycle in (lists, dicts, point):
        with pytest.raises(KeyRefused, match="contains itself") as caught:
            canonical(cycle)
        assert len(str(caught.value)) < 500


def test_nesting_beyond_128_levels_is_refused() -> None:
    deep: Any = 1
    for _ in range(128):
        deep = [deep]
    canonical(deep)
    with pytest.raises(KeyRefused, match="deeper than 128 levels"):
        canonical([deep])


def test_a_value_that_doubles_at_each_level_is_refused_in_bounded_time() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value, value]
    with pytest.raises(KeyRefused, match="larger than 16 MiB"):
        canonical(value)


def test_one_flat_value_beyond_the_limit_is_refused_too() -> None:
    with pytest.raises(KeyRefused, match="larger than 16 MiB"):
        canonical([1.5] * 2_000_000)

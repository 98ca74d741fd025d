"""A value that would not come back as it is, is refused: where, of what type, what to do."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import pathlib
import re
import sys
import zoneinfo
from typing import Any

import everwarm
import pytest
from everwarm._native import Format, decode, encode
from format_classes import ALL, Colour, Counted, Named, Pair, Point

PLAN = Format("msgpack", None, ALL)


class Text(str):
    pass


class Number(int):
    pass


class Mapping(dict[Any, Any]):
    pass


class Child(Point):
    pass


class LongerPair(Pair):
    pass


@dataclasses.dataclass
class Slotted:
    __slots__ = ("x", "hidden")
    x: int


@dataclasses.dataclass
class Listed(list[Any]):
    x: int = 0


def refused(value: Any, plan: Format = PLAN) -> str:
    with pytest.raises(everwarm.ValueRefused) as caught:
        encode(value, plan)
    message, hint = str(caught.value).split("\n")
    assert hint.startswith("hint: ") and isinstance(caught.value, TypeError)
    return message


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Named(),
        Text("a"),
        Number(1),
        Mapping(),
        Child(1),
        LongerPair(1, 2),
        collections.UserDict(),
        re.compile("a"),
        len,
        int,
        Ellipsis,
        NotImplemented,
        iter([]),
        sys,
        ValueError(),
        slice(1),
        datetime.tzinfo(),
        enum.Enum("Other", "A")["A"],
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_bytes_stand_for_is_refused(value: Any) -> None:
    assert "cannot be stored: " in refused(value)
    assert refused([value]).startswith("`result[0]`, of type `")


def test_the_message_says_where() -> None:
    hidden = Named()
    assert refused({"a": [1, 2, 3, Point(hidden)]}).startswith(
        '`result["a"][3].x`, of type `format_classes.Named`'
    )
    assert refused((Pair(1, {"b": hidden}),)).startswith('`result[0].second["b"]`')
    assert refused({(1, hidden): 1}).startswith("`result{key}[1]`")
    assert refused({frozenset([hidden]): 1}).startswith("`result{key}{element}`")
    assert refused(collections.OrderedDict(a=hidden)).startswith('`result["a"]`')
    deep: Any = hidden
    for _ in range(40):
        deep = [deep]
    assert refused(deep).startswith("`result[0][0][0][0]...[0][0][0][0]`")


@pytest.mark.parametrize("secret", ["token-1234", "s3cret", "a@b.example", "x" * 40, b"bytes", 12345])
def test_the_message_shows_no_value_and_no_key_that_may_be_one(secret: Any) -> None:
    message = refused({secret: Named()}) + refused([secret, Text(secret)])
    assert str(secret) not in message


def test_a_class_is_refused_unless_it_is_known() -> None:
    bare = Format("msgpack")
    for value in (Point(1), Pair(1, 2), Colour.RED):
        assert "its class is not known" in refused(value, bare)
        data = encode(value, PLAN)
        with pytest.raises(LookupError, match="class"):
            decode(data, bare)


def test_instances_with_more_than_their_fields_are_refused() -> None:
    point = Point(1)
    point.more = 1  # type: ignore[attr-defined]
    assert "attributes beside its fields" in refused(point)
    del point.more  # type: ignore[attr-defined]
    encode(point, PLAN)
    counted = Counted(1)
    del counted.__dict__["total"]
    assert "reading it raised AttributeError" in refused(counted)
    ordered: Any = collections.OrderedDict()
    ordered.more = 1
    assert "attributes beside its content" in refused(ordered)


def test_classes_with_more_than_their_fields_are_refused() -> None:
    known = Format("msgpack", None, [Slotted, Listed])
    assert "its slot `hidden` is none of its fields" in refused(Slotted(1), known)
    assert "subclass of `list`" in refused(Listed(1), known)


def test_a_value_that_contains_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    assert "more than 128 levels deep, or contains itself" in refused(circle)
    deep: Any = None
    for _ in range(128):
        deep = [deep]
    assert decode(encode(deep, PLAN), PLAN) == deep
    assert "levels deep" in refused([deep])
    for wrap in (lambda value: (value,), Point, lambda value: Pair(value, 1)):
        deep = None
        for _ in range(128):
            deep = wrap(deep)
        assert decode(encode(deep, PLAN), PLAN) == deep


def test_a_value_beyond_its_limit_is_refused() -> None:
    small = Format("msgpack", None, None, 100)
    assert "larger than 100 bytes" in refused("x" * 100, small)
    encode("x" * 98, small)
    twice: Any = [1]
    for _ in range(100):
        twice = [twice, twice]
    assert "larger than" in refused(twice)


def test_what_changes_while_it_is_read_is_refused() -> None:
    things: list[Any] = []
    named: dict[Any, Any] = {}

    class Sly:
        def __init__(self, change: Any) -> None:
            self.change = change

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                object.__getattribute__(self, "change")()
            return object.__getattribute__(self, name)

    sly = dataclasses.dataclass(
        type("Sly", (Sly,), {"__annotations__": {"x": int}, "__init__": Sly.__init__})
    )
    plan = Format("msgpack", None, [sly])
    for container, change in ((things, lambda: things.append(1)), (named, lambda: named.update(more=1))):
        one: Any = object.__new__(sly)
        object.__setattr__(one, "x", 1)
        object.__setattr__(one, "change", change)
        one.__dict__.pop("change")
        sly.change = staticmethod(change)  # type: ignore[attr-defined]
        if isinstance(container, list):
            container[:] = [one, 2]
        else:
            container.update(a=one, b=2)
        assert "it changed while it was read" in refused(container, plan)


def test_an_interrupt_while_a_value_is_read_goes_on() -> None:
    @dataclasses.dataclass
    class Interrupting:
        x: int

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                raise KeyboardInterrupt
            return object.__getattribute__(self, name)

    with pytest.raises(KeyboardInterrupt):
        encode(Interrupting(1), Format("msgpack", None, [Interrupting]))


def test_zones_without_a_name_are_refused() -> None:
    path = next(path for root in zoneinfo.TZPATH if (path := pathlib.Path(root, "UTC")).exists())
    with path.open("rb") as file:
        nameless = zoneinfo.ZoneInfo.from_file(file)
    assert ".tzinfo" in refused(datetime.datetime(2024, 1, 1, tzinfo=nameless))

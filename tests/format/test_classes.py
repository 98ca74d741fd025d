"""Instances of classes that declare their fields, of the standard library and of others."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, Generic, Optional, TypeVar

import everwarm
import pytest
from everwarm._format import format_of
from everwarm._native import Format, decode, encode
from format_classes import Box, Named, Pair, Point

T = TypeVar("T")


def back(value: Any, *known: type) -> Any:
    plan = Format("msgpack", None, list(known))
    return decode(encode(value, plan), plan)


def test_a_registered_class_is_known_to_every_function() -> None:
    @everwarm.register
    @dataclasses.dataclass
    class Registered:
        __cache_name__ = "tests:Registered"
        x: int

    plan = Format("msgpack")
    assert decode(encode([Registered(1)], plan), plan) == [Registered(1)]

    @dataclasses.dataclass
    class Second:
        __cache_name__ = "tests:Registered"

    with pytest.raises(everwarm.ConfigError, match="two classes are called"):
        everwarm.register(Second)
    everwarm.register(Registered)


@pytest.mark.parametrize("wrong", [Named, int, 3, "Point"])
def test_what_cannot_be_rebuilt_cannot_be_registered(wrong: Any) -> None:
    with pytest.raises(everwarm.ConfigError, match="hint: "):
        everwarm.register(wrong)


def test_a_declared_name_outlives_a_move() -> None:
    first = dataclasses.make_dataclass("First", ["x"], namespace={"__cache_name__": "shop:Price"})
    moved = dataclasses.make_dataclass("Moved", ["x"], namespace={"__cache_name__": "shop:Price"})
    data = encode(first(1), Format("msgpack", None, [first]))
    assert decode(data, Format("msgpack", None, [moved])) == moved(1)
    with pytest.raises(everwarm.ConfigError, match="shop:Price"):
        Format("msgpack", None, [first, moved])

    class Child(first):  # type: ignore[misc, valid-type]
        pass

    # The name is the class's own: a child does not take it.
    assert everwarm._native.class_name(Child).endswith("Child")


def test_a_generic_class_may_be_made_through_its_parameters() -> None:
    value = Box[int](1)
    assert "__orig_class__" in vars(value)
    assert back(value, Box) == value


def test_other_fields_are_a_miss() -> None:
    names = {"__cache_name__": "shop:Item"}
    old = dataclasses.make_dataclass("Item", ["x"], namespace=dict(names))
    new = dataclasses.make_dataclass("Item", ["x", "y"], namespace=dict(names))
    for one, other in ((old, new), (new, old)):
        data = encode(one(*range(len(dataclasses.fields(one)))), Format("msgpack", None, [one]))
        with pytest.raises(ValueError):
            decode(data, Format("msgpack", None, [other]))


def test_the_sort_of_class_must_fit_the_bytes() -> None:
    colour = enum.Enum("Colour", "RED", module="shop")
    record = dataclasses.make_dataclass("Colour", ["x"], namespace={"__cache_name__": "shop:Colour"})
    member, instance = Format("msgpack", None, [colour]), Format("msgpack", None, [record])
    for data, plan in ((encode(colour["RED"], member), instance), (encode(record(1), instance), member)):
        with pytest.raises(ValueError):
            decode(data, plan)


@dataclasses.dataclass
class Order:
    lines: list[tuple[Point, int]]
    paid: Optional[Pair]  # noqa: UP045 - both ways to write it
    boxed: Box[Point] | None = None


def test_an_annotation_names_the_classes_to_be_rebuilt() -> None:
    plan = format_of("msgpack", dict[str, Order | None])
    value = {"a": Order([(Point(1), 2)], Pair(1, 2), Box(Point(3))), "b": None}
    assert decode(encode(value, plan), plan) == value
    with pytest.raises(everwarm.ValueRefused):
        encode(value, format_of("msgpack", dict[str, Point]))


@pytest.mark.libraries
def test_attrs() -> None:
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class Slots:
        x: Any
        _y: Any = attrs.field(default=1, eq=False)

    @attrs.frozen(slots=False)
    class Dict:
        x: Any

    for value in (Slots(1, 2), Dict(Slots([1]))):
        found = back(value, Slots, Dict)
        assert found == value and type(found) is type(value)
    assert back(Slots(1, 5), Slots)._y == 5


@pytest.mark.libraries
def test_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Inner(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        x: int = 1

    class Model(pydantic.BaseModel, Generic[T], extra="allow"):  # type: ignore[misc, name-defined]
        inner: Inner
        many: list[T]
        _secret: int = pydantic.PrivateAttr(default=3)

        @pydantic.field_validator("many")
        @classmethod
        def check(cls, many: Any) -> Any:
            if len(many) > 2:
                raise ValueError
            return many

    class Root(pydantic.RootModel[list[int]]):  # type: ignore[misc, name-defined]
        pass

    of = Model[int]
    value = of(inner=Inner(), many=[1, 2], more="x")
    value._secret = 4
    value.many.append(3)
    found = back(value, of, Inner)
    assert found == value and type(found) is of and found._secret == 4 and found.more == "x"
    assert found.model_fields_set == value.model_fields_set == {"inner", "many", "more"}
    assert found.inner.model_fields_set == set()
    assert back(Root([1]), Root) == Root([1])


@pytest.mark.libraries
def test_msgspec() -> None:
    msgspec = pytest.importorskip("msgspec")

    class Struct(msgspec.Struct, frozen=True, kw_only=True, tag=True):  # type: ignore[misc, name-defined]
        x: Any
        y: int = 1

    class Changing(msgspec.Struct):  # type: ignore[misc, name-defined]
        x: int

        def __post_init__(self) -> None:
            self.x += 1

    assert back(Struct(x=[Struct(x=None)]), Struct) == Struct(x=[Struct(x=None)])
    assert back(Changing(1), Changing).x == 2

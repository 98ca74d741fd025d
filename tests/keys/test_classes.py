"""Classes: by their name where it leads to them, and by what they declare of themselves."""

from __future__ import annotations

import dataclasses
import enum
import gc
import sys
import types
from typing import Any, ClassVar, NamedTuple

import pytest
import vector_classes
from everwarm._errors import KeyRefused
from everwarm._native import canonical, digest, readable
from vector_classes import Access, Colour, Level, Point, Session


@dataclasses.dataclass
class Other:
    x: Any
    y: Any


@dataclasses.dataclass
class Rich:
    shown: int
    hidden: int = dataclasses.field(compare=False)
    shared: ClassVar[int] = 1
    start: dataclasses.InitVar[int] = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    a: int


class Keyed(Point):
    def __cache_key__(self) -> Any:
        return self.x


class Coordinates(NamedTuple):
    x: Any
    y: Any


class Computed:
    @property
    def value(self) -> int:
        raise AssertionError("a property was read")

    def __cache_key__(self) -> int:
        return 1


def local(name: str = "Local") -> Any:
    return dataclasses.make_dataclass(name, ["x"])


def dataclass_of(module: str, name: str) -> Any:
    return dataclasses.dataclass(type(name, (), {"__annotations__": {"x": int}, "__module__": module}))


def test_records_of_different_classes_differ() -> None:
    alike = [
        Point(1, 2),
        Other(1, 2),
        Coordinates(1, 2),
        (1, 2),
        {"x": 1, "y": 2},
        Keyed(1, 2),
        Session((1, 2)),
    ]
    assert len({canonical(value) for value in alike}) == len(alike)


def test_a_record_is_its_compared_fields_at_call_time() -> None:
    assert canonical(Rich(1, 2)) == canonical(Rich(1, 3)) != canonical(Rich(2, 2))
    point = Point(1, [1])
    before = canonical(point)
    point.y.append(2)
    assert canonical(point) != before
    assert canonical(Slotted(1)) != canonical(Slotted(2))


def test_a_named_tuple_is_its_elements_whatever_its_names_say() -> None:
    class Hidden(Coordinates):
        __slots__ = ()
        x = property(lambda self: 0)  # type: ignore[assignment]

    assert canonical(Hidden(1, 2)) != canonical(Hidden(3, 2))
    with pytest.raises(KeyRefused, match="elements beside its fields"):
        canonical(tuple.__new__(Coordinates, (1, 2, 3)))


def test_a_declared_key_takes_precedence_and_is_told_from_its_content() -> None:
    assert canonical(Keyed(1, 2)) == canonical(Keyed(1, 3))
    assert canonical(Session(1)) != canonical(1)
    assert canonical(Computed())


def test_members_are_told_apart_by_class_and_name() -> None:
    class Shade(enum.Enum):
        RED = 1

    values = [Colour.RED, Shade.RED, Level.LOW, 1, "RED", Access.READ, Session.Inner.ONE, Colour]
    assert len({canonical(value) for value in values}) == len(values)
    assert canonical(Access.READ | Access.WRITE) == canonical(Access(3))


def test_local_classes_of_one_name_never_share_a_key() -> None:
    one, other = local(), local()
    assert canonical(one(1)) == canonical(one(1)) != canonical(other(1))
    assert "Local#" in readable(canonical(one(1)))


def test_a_local_class_keeps_its_key_while_its_attributes_change() -> None:
    one = local()(1)
    before = canonical(one)
    for count in range(20):
        type(one).made = count
        assert canonical(one) == before


def test_a_number_is_not_given_twice_though_an_address_is() -> None:
    seen = set()
    for _ in range(300):
        seen.add(canonical(local()(1)))
        gc.collect(0)
    assert len(seen) == 300


def test_a_key_of_this_process_has_no_digest() -> None:
    assert digest(Point(1, 2)) == digest(Point(1, 2))
    with pytest.raises(KeyRefused, match="in this process only"):
        digest([local()(1)])


def test_a_class_that_changes_is_looked_over_again() -> None:
    one = local()(1)
    before = canonical(one)
    assert canonical(one) == before
    type(one).__cache_key__ = lambda self: 5
    assert "5" in readable(canonical(one)) and canonical(one) != before
    type(one).__cache_key__ = lambda self: 6
    assert "6" in readable(canonical(one))


def test_a_class_replaced_in_its_module_is_another() -> None:
    module = types.ModuleType("reloaded")
    sys.modules["reloaded"] = module
    try:
        old = module.Thing = dataclass_of("reloaded", "Thing")
        first = canonical(old(1))
        assert "reloaded.Thing" in readable(first)
        module.Thing = dataclass_of("reloaded", "Thing")
        assert canonical(module.Thing(1)) != canonical(old(1)) == first
        del old
        gc.collect()
        module.Thing = dataclass_of("reloaded", "Thing")
        assert canonical(module.Thing(1)) != first
    finally:
        del sys.modules["reloaded"]


def test_classes_as_values_are_known_by_a_name_that_leads_to_them() -> None:
    values = [int, Point, vector_classes.Session, vector_classes.Session.Inner, type, object]
    assert len({canonical(value) for value in values}) == len(values)
    with pytest.raises(KeyRefused, match="does not lead to it"):
        canonical(local())


def test_what_is_read_of_a_module_imports_nothing() -> None:
    touched = []

    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            touched.append(name)
            raise AttributeError(name)

    sys.modules["lazy_module"] = Lazy("lazy_module")
    try:
        made = dataclass_of("lazy_module", "Made")
        canonical(made(1))
    finally:
        del sys.modules["lazy_module"]
    assert touched == []


def test_many_classes_keep_their_keys() -> None:
    first = Point(1, 2)
    before = canonical(first)
    for _ in range(4200):
        canonical(type("C", (), {"__cache_key__": lambda self: 1})())
    assert canonical(first) == before


def test_attrs_pydantic_and_msgspec_by_their_fields() -> None:
    attrs = pytest.importorskip("attrs")
    msgspec = pytest.importorskip("msgspec")
    pydantic = pytest.importorskip("pydantic")

    made = attrs.make_class("Made", {"x": attrs.field(), "y": attrs.field(eq=False)})
    assert canonical(made(1, 2)) == canonical(made(1, 3)) != canonical(made(2, 2))
    with pytest.raises(KeyRefused, match="compared by identity"):
        canonical(attrs.make_class("Bare", ["x"], eq=False)(1))

    struct = msgspec.defstruct("Struct", [("x", int), ("y", str)])
    assert canonical(struct(1, "a")) == canonical(struct(1, "a")) != canonical(struct(1, "b"))
    with pytest.raises(KeyRefused, match="compared by identity"):
        canonical(msgspec.defstruct("Bare", [("x", int)], eq=False)(1))

    model = pydantic.create_model("Model", __config__={"extra": "allow"}, x=(int, ...), y=(str, "d"))
    assert canonical(model(x=1)) == canonical(model(x=1, y="d")) != canonical(model(x=2))
    assert canonical(model(x=1, z=1)) != canonical(model(x=1))
    assert canonical(model(x=1, z=1)) != canonical(model(x=1, z=True))

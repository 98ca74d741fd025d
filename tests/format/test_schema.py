"""Fingerprints: of an annotation, which changes when a class does, and of a function's code."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import functools
import json
import operator
import os
import pathlib
import subprocess
import sys
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, Union

import everwarm
import pytest
from everwarm._schema import annotation_of, classes_of, schema_id, source_digest
from format_classes import Box, Colour, Pair, Point


@dataclasses.dataclass
class Tree:
    __cache_name__ = "tests:Tree"
    children: list[Tree]
    at: Point | None = None


class Options(TypedDict):
    colour: Colour


class Row(NamedTuple):
    pair: Pair


def returns_tree() -> dict[str, Tree]:
    return {}


def returns_nowhere() -> Missing:  # type: ignore[name-defined]  # noqa: F821
    ...


def test_classes_are_found_wherever_they_are_named() -> None:
    assert set(classes_of(annotation_of(returns_tree))) == {Tree, Point}
    assert set(classes_of(Annotated[Optional[Box[Row]], "note"])) == {Box, Row, Pair}  # noqa: UP045
    assert Colour in classes_of(Options)
    assert classes_of(Literal[Colour.RED]) == [Colour]
    assert classes_of(None) == classes_of(Any) == classes_of(int) == []
    assert annotation_of(returns_nowhere) is annotation_of(lambda: 1) is None


SAME = [
    (Union[int, None], Optional[int]),  # noqa: UP007, UP045
    (Point | None, None | Point),
    (Union[int, str], Union[str, int]),  # noqa: UP007
    (Annotated[list[Point], "note"], list[Point]),
    (Literal["a", "b"], Literal["b", "a"]),
]
DIFFERENT = [
    int,
    str,
    bool,
    list,
    list[int],
    list[str],
    list[Point],
    set[Point],
    Point,
    Pair,
    Colour,
    Tree,
    Row,
]
DIFFERENT += [
    dict[str, Point],
    dict[Point, str],
    tuple[int, ...],
    tuple[int, int],
    Literal[1],
    Literal["1"],
    Any,
]
DIFFERENT += [pathlib.Path, decimal.Decimal, datetime.date]
DIFFERENT += [Optional[int], Optional[Point], Box[int], Box[str], Options]  # noqa: UP045


@pytest.mark.parametrize(("one", "two"), SAME)
def test_what_means_the_same_has_the_same_fingerprint(one: Any, two: Any) -> None:
    assert schema_id(one) == schema_id(two) != ""


def test_what_differs_has_another_fingerprint() -> None:
    found = [schema_id(annotation) for annotation in DIFFERENT]
    assert len(set(found)) == len(found)
    assert all(len(digits) == 16 and int(digits, 16) >= 0 for digits in found)
    assert schema_id(None) == ""


def test_a_class_that_changes_changes_it() -> None:
    def made(*fields: Any, **names: Any) -> Any:
        return list[dataclasses.make_dataclass("Item", fields, namespace={"__module__": "shop", **names})]

    first = schema_id(made(("x", int)))
    assert first == schema_id(made(("x", int)))
    inner = dataclasses.make_dataclass("Inner", ["x"])
    others = [
        made(("x", int), ("y", int)),
        made(("y", int)),
        made(("x", str)),
        made(),
        made(("x", inner)),
        made(("x", int), __cache_version__=2),
        made(("x", int), __cache_name__="shop:Thing"),
    ]
    assert len({first, *map(schema_id, others)}) == 1 + len(others)


def test_fingerprints_are_for_ever() -> None:
    assert schema_id(int) == "c7d5009579c9bc08"
    assert schema_id(list[Point]) == "62487f25e25b168b"
    assert schema_id(Tree) == "fb63afeed950a03f"
    assert schema_id(pathlib.Path) == "6424578e773e2b54"
    assert source_digest(returns_tree) == "4e498de293cdb927"


CHILD = """
import json, test_schema as t
print(json.dumps([t.schema_id(each) for each in t.DIFFERENT] + [t.source_digest(t.returns_tree)]))
"""


def test_it_is_the_same_in_every_process() -> None:
    pythons = os.environ.get("TESTS_PYTHONS", sys.executable).split(os.pathsep)
    found = set()
    for python in pythons:
        for seed in ("1", "2"):
            env = {"PYTHONPATH": ":".join(sys.path) if python == sys.executable else "tests/format"}
            done = subprocess.run(
                [python, "-c", CHILD], env={**env, "PYTHONHASHSEED": seed}, capture_output=True
            )
            assert done.returncode == 0, done.stderr.decode()
            found.add(done.stdout)
    assert len(found) == 1 and len(json.loads(found.pop())) == len(DIFFERENT) + 1


def compiled(source: str) -> Any:
    names: dict[str, Any] = {}
    exec(source, names)
    return names["f"]


def test_code_that_differs_has_another_digest() -> None:
    sources = [
        "def f(x): return x + 1",
        "def f(x): return x + 2",
        "def f(y): return y + 1",
        "def f(x): return x.a",
        "def f(x): return (lambda: x + 3)()",
        "def f(x): return x in {1, 2}",
    ]
    digests = [source_digest(compiled(source)) for source in sources]
    assert len(set(digests)) == len(sources)
    assert source_digest(compiled("# a note\ndef f(x):\n\n    return x + 1")) == digests[0]


def test_comments_layout_and_documentation_are_no_code(tmp_path: Any) -> None:
    texts = {
        "one": 'def f(x):\n    """What it does."""\n    return [x,\n            1]  # why\n',
        "two": "def f( x ):\n\n    return [x, 1]\n",
        "three": "def f(x):\n    return [x, 2]\n",
    }
    digests = {}
    for name, text in texts.items():
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        names: dict[str, Any] = {}
        exec(compile(text, str(path), "exec"), names)
        digests[name] = source_digest(names["f"])
    assert digests["one"] == digests["two"] != digests["three"]


def added(a: int, b: int) -> int:
    return a + b


class Adding:
    def __init__(self, to: int) -> None:
        self.to = to

    def __call__(self, x: int) -> int:
        return x + self.to


@dataclasses.dataclass(frozen=True)
class Times:
    by: int

    def __call__(self, x: int) -> int:
        return x * self.by


class Other(Adding):
    def __call__(self, x: int) -> int:
        return x - self.to


def renamed(made: Any) -> Any:
    return functools.update_wrapper(made, added)


def test_a_partial_is_what_it_calls_and_what_it_holds() -> None:
    partial, unsaid = functools.partial, Adding(1)
    different = [
        added,
        partial(added, 1),
        partial(added, 2),
        partial(added, True),
        partial(added, b=1),
        partial(added, a=1),
        partial(max, 1),
        partial(added, unsaid),
        partial(added, len),
        partial(added, partial(added, 1)),
        partial(Times(2), 1),
        partial(Times(3), 1),
        Adding(1),
        Other(1),
        Times(2),
        Times(3),
        operator.itemgetter(1),
        len,
        max,
    ]
    assert len(set(map(source_digest, different))) == len(different)
    # Nobody says what this one consists of: its class stands for it.
    assert source_digest(partial(added, unsaid)) == source_digest(partial(added, Adding(2)))
    assert source_digest(renamed(partial(added, 1))) == source_digest(partial(added, 1))
    assert source_digest(renamed(partial(added, 2))) == source_digest(partial(added, 2))
    assert source_digest(partial(added, a=1, b=2)) == source_digest(partial(added, b=2, a=1))
    assert source_digest(partial(added, 1)) == "63352a5add395a10"


@pytest.mark.parametrize("kind", ["disk", "file", "sqlite"])
def test_what_is_no_function_is_known_by_its_name(tmp_path: Any, kind: str) -> None:
    url = f"{kind}://{tmp_path / 'store'}"
    for given, of_one in ((functools.partial(added, 2), 3), (Times(5), 5), (Adding(6), 7)):
        for again in range(2):
            with everwarm.Cache([url], namespace="n") as cache:
                called = cache(name=type(given).__name__)(given)
                assert called(1) == of_one and called.stats().computations == (not again)
    with everwarm.Cache([url], namespace="n") as cache:
        assert cache(name="partial")(functools.partial(added, 100))(1) == 101

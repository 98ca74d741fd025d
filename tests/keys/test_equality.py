"""Different arguments never share a key, and the same arguments always do."""

from __future__ import annotations

import copy
import itertools
import pathlib
import random
from typing import Any

import pytest
from everwarm._native import canonical, readable
from hypothesis import given, settings
from hypothesis import strategies as st
from sameness import same

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 2**63, -(2**63), 2**64]),
    st.floats(),
    st.complex_numbers(),
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.binary(max_size=40),
    st.binary(max_size=4).map(bytearray),
    st.just(...),
)
keys = st.recursive(
    scalars.filter(lambda value: not isinstance(value, bytearray)),
    lambda inner: st.one_of(st.lists(inner, max_size=3).map(tuple), st.frozensets(inner, max_size=3)),
    max_leaves=4,
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=17),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(keys, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(max_examples=1000, deadline=None)
@given(trees, trees)
def test_equal_values_and_equal_keys_are_the_same(left: Any, right: Any) -> None:
    assert (canonical(left) == canonical(right)) is same(left, right)


@settings(max_examples=500, deadline=None)
@given(trees)
def test_a_copy_has_the_same_key_and_a_wrapped_value_another(value: Any) -> None:
    assert canonical(copy.deepcopy(value)) == canonical(value)
    assert canonical([value]) != canonical(value) != canonical((value,))


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(keys, scalars, max_size=12), st.randoms())
def test_the_order_of_a_dict_is_no_part_of_its_key(value: dict[Any, Any], draw: random.Random) -> None:
    pairs = list(value.items())
    draw.shuffle(pairs)
    assert canonical(dict(pairs)) == canonical(value)


def random_tree(draw: random.Random, depth: int) -> Any:
    kind = draw.randrange(12 if depth else 8)
    if kind < 8:
        choices = [
            None,
            draw.randrange(-3, 4),
            draw.choice([True, False]),
            draw.choice([0.0, -0.0, 1.0, float("nan")]),
        ]
        choices += [
            draw.choice(["", "a", "1", "a b", "\ud800"]),
            draw.choice([b"", b"a", b"1"]),
            2**64,
            "x" * draw.randrange(40, 60),
        ]
        return choices[kind]
    items = [random_tree(draw, depth - 1) for _ in range(draw.randrange(4))]
    if kind == 8:
        return items
    if kind == 9:
        return tuple(items)
    hashable = [item for item in items if not unhashable(item)]
    return set(hashable) if kind == 10 else dict(zip(hashable, items, strict=False))


def unhashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return True
    return False


def test_c6_a_hundred_thousand_random_pairs() -> None:
    draw = random.Random(20261121)
    equal = 0
    for _ in range(100_000):
        left, right = random_tree(draw, 2), random_tree(draw, 2)
        if draw.random() < 0.2:
            right = copy.deepcopy(left)
        agreed = same(left, right)
        equal += agreed
        assert (canonical(left) == canonical(right)) is agreed, (left, right)
    assert equal > 20_000


# What other libraries take for one another.
GROUPS: list[list[Any]] = [
    [1, True, 1.0, "1", b"1", bytearray(b"1"), 1 + 0j, (1,), [1], {1}, frozenset([1]), "True", "1.0"],
    [0, False, 0.0, -0.0, "", b"", (), [], {}, set(), frozenset(), None, bytearray(), "None", 0j],
    [("a b", "c"), ("a", "b c"), ("a b c",), "a b c", ("a", "b", "c"), (("a", "b"), "c"), ("a", ("b", "c"))],
    [(1, 2), [1, 2], {1, 2}, frozenset([1, 2]), {1: 2}, ((1, 2),), range(1, 3), slice(1, 2)],
    ["/x", pathlib.PurePosixPath("/x"), pathlib.PureWindowsPath("/x"), b"/x"],
    ["\u00e9", "e\u0301", "\xc3\xa9", b"\xc3\xa9"],
    ["\ud83d\ude00", "\U0001f600"],
    [-1, 1, 255, -255, 256, 2**32, -(2**32), 2**64, 2**64 + 1, -(2**64)],
    [{"a": 1, "b": 2}, {"a": 2, "b": 1}, {"b": 1, "a": 1}, [("a", 1), ("b", 2)]],
    [{"a": {"b": 1}}, {"a": {"b": True}}, {"a": [("b", 1)]}, {"a": "{'b': 1}"}],
    ["x" * 1024, "x" * 1025, "x" * 1026, b"x" * 1025, bytearray(b"x" * 1025)],
    [int, "int", float, bool, type],
]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: repr(group[0])[:20])
def test_look_alikes_have_keys_of_their_own(group: list[Any]) -> None:
    for left, right in itertools.combinations(group, 2):
        assert canonical(left) != canonical(right), (left, right)
    assert len({canonical(value) for value in group}) == len(group)


def test_content_above_the_limits_still_counts_to_its_end() -> None:
    assert canonical("x" * 5000 + "a") != canonical("x" * 5000 + "b")
    assert canonical([*range(9000), 1]) != canonical([*range(9000), 2])
    assert len(canonical([*range(9000)])) == 1 + 3 + 32
    assert len(canonical("x" * 10**6)) == 1 + 3 + 32


def test_an_encoding_can_be_read() -> None:
    assert readable(canonical({"b": (1, -2.5), "a": None})) == '{"a": None, "b": (1, -2.5)}'

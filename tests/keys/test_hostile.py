"""Arguments that run code while they are read: they may fail, and they may not lie."""

from __future__ import annotations

import collections
import gc
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from everwarm._errors import KeyRefused
from everwarm._native import canonical


class Act:
    """Does something while it is read, and is known by one."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __cache_key__(self) -> Any:
        self.act()
        return 1


class Answer:
    """Is known by whatever it was given."""

    def __init__(self, answer: Callable[[Any], Any]) -> None:
        self.answer = answer

    def __cache_key__(self) -> Any:
        return self.answer(self)


def growing_dict() -> Any:
    value: dict[Any, Any] = {"a": None}
    value["a"] = Act(lambda: value.update(b=1))
    return value


def shrinking_dict() -> Any:
    value: dict[Any, Any] = {"a": None, "b": 2}
    value["a"] = Act(value.clear)
    return value


def growing_list() -> Any:
    value: list[Any] = []
    value.append(Act(lambda: value.append(1)))
    return value


def shrinking_list() -> Any:
    value: list[Any] = [None, "x" * 5, "y" * 5]
    value[0] = Act(value.clear)
    return value


def shrinking_set() -> Any:
    value: set[Any] = {1}
    value.add(Act(value.clear))
    return value


def shrinking_ordered_dict() -> Any:
    value: collections.OrderedDict[Any, Any] = collections.OrderedDict(a=None, b=1)
    value["a"] = Act(value.clear)
    return value


def shrinking_deque() -> Any:
    value: collections.deque[Any] = collections.deque([None, 1])
    value[0] = Act(value.clear)
    return value


CHANGING = [
    growing_dict,
    shrinking_dict,
    growing_list,
    shrinking_list,
    shrinking_set,
    shrinking_ordered_dict,
    shrinking_deque,
]


@pytest.mark.parametrize("make", CHANGING, ids=lambda make: make.__name__)
def test_a_container_that_changes_while_it_is_read_is_refused(make: Callable[[], Any]) -> None:
    with pytest.raises(KeyRefused, match="changed while it was read"):
        canonical(make())


def test_what_is_let_go_while_it_is_read_is_still_held() -> None:
    value: list[Any] = [None, [["kept"] * 3]]

    def let_go() -> None:
        value[1] = None
        gc.collect()

    value[0] = Act(let_go)
    assert canonical([value[1], Act(lambda: None)])
    canonical(value)
    inner: dict[str, Any] = {}
    inner["a"] = Act(lambda: inner.__setitem__("b", None))
    inner["b"] = ["x" * 100]
    canonical(inner)


@pytest.mark.parametrize("error", [ValueError, KeyError, KeyboardInterrupt, SystemExit, RecursionError])
def test_what_the_users_code_raises_passes_unchanged(error: type[BaseException]) -> None:
    raised = error("mine")

    def answer(_: Any) -> Any:
        raise raised

    with pytest.raises(error) as caught:
        canonical([{"a": Answer(answer)}])
    assert caught.value is raised


def test_a_key_that_is_the_object_itself_is_refused() -> None:
    with pytest.raises(KeyRefused, match="contains itself"):
        canonical(Answer(lambda self: self))
    with pytest.raises(KeyRefused, match="contains itself"):
        canonical(Answer(lambda self: Answer(lambda _: self)))


def test_a_key_that_asks_for_itself_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        canonical(Answer(lambda self: canonical(self)))


def test_a_key_that_cannot_be_encoded_names_its_place() -> None:
    with pytest.raises(KeyRefused, match=r"\.__cache_key__\(\)`: `object`"):
        canonical(Answer(lambda _: object()))


def test_no_equality_and_no_hash_of_the_user_runs() -> None:
    class Watched:
        hashed = 0

        def __hash__(self) -> int:
            Watched.hashed += 1
            return 1

        def __eq__(self, other: object) -> bool:
            raise AssertionError("an argument was compared")

        def __cache_key__(self) -> int:
            return 1

    value = {Watched(): 1}
    before = Watched.hashed
    assert canonical(value) == canonical({next(iter(value)): 1})
    assert canonical({"a": value}) == canonical({"a": value})
    assert Watched.hashed == before + 1


def test_nothing_is_kept_of_an_argument_or_its_class() -> None:
    class Local:
        def __cache_key__(self) -> list[int]:
            return [1]

    value = Local()
    held = weakref.ref(value), weakref.ref(Local)
    items = [value, "text" * 20]
    counts = [sys.getrefcount(item) for item in items]
    for _ in range(10):
        canonical(items)
    assert [sys.getrefcount(item) for item in items] == counts
    del value, items, Local
    gc.collect()
    assert [ref() for ref in held] == [None, None]


def test_threads_read_one_value_at_once() -> None:
    shared = {"a": [1, 2, {"b": (1.5, "x" * 100)}], "c": Answer(lambda _: ("k", 1))}
    expected, seen = canonical(shared), []

    def read() -> None:
        seen.extend(canonical(shared) for _ in range(300))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [expected] * 1200

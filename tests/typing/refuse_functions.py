"""Wrong calls of plain functions and of their verbs."""

from collections.abc import Callable
from typing import TypeVar

from everwarm import Policy, cache

T = TypeVar("T")


@cache
def area(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache(ttl=5)
def size(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache
def first(values: list[T]) -> T:
    return values[0]


area("x")  # E: arg-type / reportArgumentType
area()  # E: call-arg / reportCallIssue
area(1, "a", True)  # E: call-arg / reportCallIssue
area(1, w=1)  # E: call-arg / reportCallIssue
size("x")  # E: arg-type / reportArgumentType
text: str = area(1)  # E: assignment / reportAssignmentType
first(1)  # E: arg-type / reportArgumentType
number: int = first(["a"])  # E: assignment / reportAssignmentType
narrow: Callable[[str], float] = area  # E: assignment / reportAssignmentType

area.key("x")  # E: arg-type / reportArgumentType
area.peek()  # E: call-arg / reportCallIssue
area.refresh("x")  # E: arg-type / reportArgumentType
area.call(1, w=1)  # E: call-arg / reportCallIssue
area.invalidate("x")  # E: arg-type / reportArgumentType
area.mark_stale("x")  # E: arg-type / reportArgumentType
area.explain("x")  # E: arg-type / reportArgumentType
area.using(refresh=True)("x")  # E: arg-type / reportArgumentType
area.using(skip=True).call()  # E: call-arg / reportCallIssue
area.using(maxage=3)  # E: call-arg / reportCallIssue
area.using(max_age=[3])  # E: arg-type / reportArgumentType
area.using(max_stale=[3])  # E: arg-type / reportArgumentType
area.uncached("x")  # E: arg-type / reportArgumentType
area.prime("x", 1)  # E: arg-type / reportArgumentType
area.prime(1.0)  # E: call-arg / reportCallIssue
area.prime(value=1.0, x=1)  # E: call-arg / reportCallIssue
area.clear(1)  # E: call-arg / reportCallIssue
area.purge()  # E: attr-defined / reportAttributeAccessIssue, reportUnknownMemberType
area.call(1).value = 2.0  # E: misc / reportAttributeAccessIssue
area.stats().hits = 1  # E: misc / reportAttributeAccessIssue
word: str = area.call(1).value  # E: assignment / reportAssignmentType
early: bool = area.call(1).status == "late"  # E: comparison-overlap / reportUnnecessaryComparison

cache(1)  # E: call-overload / reportArgumentType, reportCallIssue
cache(area.uncached, ttl=5)  # E: call-overload / reportArgumentType
cache(Policy(), Policy())  # E: call-overload / reportCallIssue

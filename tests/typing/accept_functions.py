"""Plain functions keep their signature, whichever way they are decorated."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, overload

from everwarm import Cache, Explanation, Function, Policy, Result, Stats, cache
from typing_extensions import assert_type

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
shop = Cache(namespace="shop")
policy = Policy(ttl=60)


@cache
def bare(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache()
def called(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache(ttl="5m", tags=["user:{x}"])
def with_keywords(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache(policy)
def with_policy(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@cache(policy, ttl=3)
def with_policy_changed(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@shop
def on_object(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


@shop(policy, ttl=3)
def on_object_with_policy(x: int, y: str = "a", *, z: bool = False) -> float:
    return x + len(y) + z


assert_type(bare(1), float)
assert_type(called(1, "b"), float)
assert_type(with_keywords(1, y="b"), float)
assert_type(with_policy(x=1, y="b", z=True), float)
assert_type(with_policy_changed(1, z=True), float)
assert_type(on_object(1, z=True), float)
assert_type(on_object_with_policy(1, z=True), float)

# The verbs take the arguments of the call.
assert_type(bare.key(1, y="b"), str)
assert_type(bare.peek(1, z=True), Result[float] | None)
assert_type(bare.refresh(1, "b"), float)
assert_type(bare.call(1).value, float)
assert_type(bare.uncached(1, z=True), float)
assert_type(bare.__wrapped__(1), float)
assert_type(bare.stats(), Stats)
assert_type(bare.stats().hit_ratio, float)
assert_type(bare.cache_info().hits, int)
assert_type(bare.cache_info().maxsize, int | None)
assert_type(bare.policy, Policy)
assert_type(bare.cache_parameters(), dict[str, Any])
assert_type(bare.__name__, str)
assert_type(bare.explain(1, y="b"), Explanation)
assert_type(bare.using(max_age="5m", read_only=True)(1, z=True), float)
assert_type(bare.using(max_stale="1h", only_if_cached=True)(1, z=True), float)
assert_type(bare.using(skip=True).call(1), Result[float])
bare.mark_stale(1, z=True)
bare.prime(2.5, 1, y="b")
bare.invalidate(1, z=True)
bare.clear()
bare.cache_clear()


async def awaited() -> None:
    assert_type(await bare.apeek(1, z=True), Result[float] | None)
    await bare.aprime(2.5, 1, y="b")
    await bare.ainvalidate(1, z=True)


# It goes wherever its function went.
as_callable: Callable[[int], float] = bare
assert_type(list(map(bare, [1])), list[float])
assert_type(partial(bare, 1)(), float)
assert_type(ThreadPoolExecutor().submit(bare, 1, z=True).result(), float)


def timed(function: Callable[P, R]) -> Callable[P, R]:
    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(*args, **kwargs)

    return inner


def briefly(function: Callable[P, R]) -> Function[P, R]:
    return cache(ttl=1)(function)


def forget(*functions: Function[..., object]) -> None:
    for function in functions:
        function.clear()


@cache
@timed
def cached_outside(x: int) -> str:
    return str(x)


assert_type(timed(bare)(1, z=True), float)
assert_type(cached_outside.refresh(1), str)
assert_type(briefly(cached_outside.uncached)(1), str)
forget(bare, cached_outside)


@cache
def first(values: list[T]) -> T:
    return values[0]


assert_type(first([1]), int)
assert_type(first(["a"]), str)
assert_type(first.refresh([1]), int)
assert_type(first.call([1]).value, int)
assert_type(first.key(["a"]), str)


@cache(ttl=1)
def pair(left: T, *more: T, **named: T) -> tuple[T, ...]:
    return (left, *more, *named.values())


assert_type(pair(1, 2, third=3), tuple[int, ...])


@cache
def anything(x: int) -> Any:
    return x


assert_type(anything(1), Any)
assert_type(anything.key(1), str)


@cache
def nothing() -> None: ...


nothing()
nothing.invalidate()


@cache
def adder(x: int) -> Callable[[int], int]:
    return partial(max, x)


assert_type(adder(1)(2), int)


@cache
def numbers(n: int) -> Iterator[int]:
    yield from range(n)


assert_type(next(numbers(3)), int)

# A function that is there already, a built-in and a partial.
later = cache(ttl=5)(len)
assert_type(later("abc"), int)
assert_type(later.key("abc"), str)
half = shop(partial(bare.uncached, 1))
assert_type(half(y="b"), float)


# A decorated implementation shows its overloads, and with them no verbs.
@overload
def either(x: int) -> int: ...
@overload
def either(x: str) -> str: ...
@cache
def either(x: int | str) -> int | str:
    return x


assert_type(either(1), int)
assert_type(either("a"), str)


# A writer keeps its type.
@shop.invalidates(tags=["user:{x}"], keys=lambda x: [(bare, x), (1, 2)])
def write(x: int) -> str:
    return str(x)


class Writer:
    @shop.invalidates(keys=["user:{x}"])
    async def write(self, x: int) -> str:
        return str(x)


assert_type(write(1), str)
written: Callable[[int], str] = write

"""Generator functions and what `lru_cache` decorates keep their signatures."""

from collections.abc import AsyncIterator, Iterator

from everwarm import Cache, Result, cache, lru_cache
from typing_extensions import assert_type

shop = Cache()


@cache
def letters(text: str, *, upper: bool = False) -> Iterator[str]:
    yield text.upper() if upper else text


@shop(ttl=5, max_items=3)
async def numbers(count: int) -> AsyncIterator[int]:
    yield count


@lru_cache
def square(x: int) -> float:
    return x * 1.5


@lru_cache(maxsize=None, typed=True)
def twice(x: int) -> int:
    return 2 * x


async def main() -> None:
    assert_type(letters("a", upper=True), Iterator[str])
    assert_type(list(letters("a")), list[str])
    assert_type(list(letters.refresh("a")), list[str])
    assert_type([number async for number in numbers(3)], list[int])
    letters.prime(("a", "b"), "a")
    numbers.prime([1, 2], 2)
    assert_type(letters.peek("a"), Result[tuple[str, ...]] | None)
    assert_type(numbers.peek(3), Result[tuple[int, ...]] | None)
    assert_type(letters.call("a").value, tuple[str, ...])
    assert_type((await numbers.call(3)).value, tuple[int, ...])
    assert_type(numbers.policy.max_items, int)


assert_type(square(2), float)
assert_type(square.cache_info().maxsize, int | None)
assert_type(twice(3), int)

"""What generator functions are primed with is an iterable of items; the bound of `lru_cache` is a number."""

from collections.abc import Iterator

from everwarm import Policy, cache, lru_cache


@cache
def letters(text: str) -> Iterator[str]:
    yield text


letters.prime(3, "a")  # E: call-overload / reportArgumentType, reportCallIssue
letters(3)  # E: arg-type / reportArgumentType


lru_cache("3")  # E: call-overload / reportArgumentType, reportCallIssue
Policy(max_items="3")  # E: arg-type / reportArgumentType

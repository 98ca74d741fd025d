"""Bounds of bytes, weighers, listeners and estimates of other sizes."""

import sys
from typing import Any, Literal

from everwarm import Cache, Policy, WhatIf, cache
from typing_extensions import assert_type


def told(key: object, value: object, cause: Literal["capacity", "expired"] | str) -> None:
    print(key, value, cause)


def size_of(value: bytes) -> int:
    return len(value)


Cache(max_entries=None, max_bytes=1_000_000)
Cache(max_bytes="256MB", weigher=size_of, on_remove=told)
Cache(max_bytes=None, weigher=None, on_remove=None)
shop = Cache(
    max_bytes="1GiB",
    weigher=lambda value: sys.getsizeof(value),
    on_remove=lambda key, value, cause: print(key, value, cause.upper()),
)
assert_type(shop.max_bytes, int | None)
assert_type(shop.max_entries, int | None)
assert_type(shop.stats().bytes, int)

assert_type(shop.what_if(), WhatIf)
assert_type(shop.what_if().half, float | None)
assert_type(shop.what_if().lookups, int)

policy = Policy(max_entry_bytes="1MB")
assert_type(policy.max_entry_bytes, int | str | None)
assert_type(policy.replace(max_entry_bytes=1_000), Policy)


@cache(max_entry_bytes=1_000)
def page(url: str) -> Any:
    return url

"""Coroutine functions stay coroutine functions, and asyncio takes what they return."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from everwarm import Cache, Result, cache
from typing_extensions import assert_type

T = TypeVar("T")
shop = Cache()


@cache
async def bare(user: int, *, deep: bool = False) -> str:
    return str(user) * (1 + deep)


@shop(ttl="1m", tags=["user:{user}"])
async def profile(user: int, *, deep: bool = False) -> str:
    return str(user) * (1 + deep)


@cache
async def first(values: list[T]) -> T:
    return values[0]


async def fetch(run: Callable[[int], Awaitable[str]]) -> str:
    return await run(1)


async def main() -> None:
    assert_type(await bare(1), str)
    assert_type(await profile(1, deep=True), str)
    assert_type(await first([1]), int)
    assert_type(await fetch(profile), str)

    assert_type(await asyncio.create_task(profile(1)), str)
    assert_type(await asyncio.wait_for(profile(1), 1), str)
    assert_type(await asyncio.gather(profile(1), first([1])), tuple[str, int])
    if sys.version_info >= (3, 11):
        async with asyncio.TaskGroup() as group:
            assert_type(await group.create_task(profile(1)), str)

    # These compute, so they are awaited.
    assert_type(await profile.refresh(1, deep=True), str)
    assert_type(await profile.call(1), Result[str])
    assert_type(await profile.using(refresh=True)(1, deep=True), str)
    assert_type(await profile.using(max_age=3).call(1), Result[str])
    assert_type(await profile.uncached(1), str)
    assert_type(await profile.__wrapped__(1), str)
    assert_type(await first.refresh(["a"]), str)

    # These look at memory, so they are not.
    assert_type(profile.key(1), str)
    assert_type(profile.peek(1), Result[str] | None)
    profile.prime("ann", 1, deep=True)
    profile.invalidate(1)
    profile.clear()

    # Their a-twins are.
    assert_type(await profile.apeek(1), Result[str] | None)
    await profile.aprime("ann", 1, deep=True)
    await profile.ainvalidate(1)
    await profile.amark_stale(1, deep=True)
    await profile.aclear()


asyncio.run(profile(1))

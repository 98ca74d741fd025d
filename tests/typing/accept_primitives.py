"""Locks, semaphores and limiters as users write them."""

import asyncio
from datetime import timedelta

from everwarm import Cache, NotHeld
from typing_extensions import assert_type

cache = Cache()

with cache.lock("nightly", ttl="30s", wait=0) as lock:
    assert_type(lock.token, int)
    assert_type(lock.locked(), bool)
assert_type(lock.acquire(wait=timedelta(seconds=1)), bool)
lock.release()

with cache.semaphore("render", 4, wait=None) as render:
    assert_type(render.permits, int)

api = cache.limiter("api", rate="100/1m", kind="sliding_window")
decision = api.try_acquire(2, key=("user", 7))
assert_type(decision.retry_after, float)
if decision:
    assert_type(decision.remaining, int)
cache.limiter("api", rate="5/s", burst=20)


@api
def fetch(page: int) -> str:
    return str(page)


assert_type(fetch(1), str)


@api
async def afetch(page: int) -> str:
    return str(page)


async def main() -> None:
    async with cache.lock("nightly"), render, api:
        assert_type(await api.aacquire(wait="1s"), bool)
        assert_type(await afetch(1), str)
    try:
        await lock.arelease()
    except NotHeld:
        pass


asyncio.run(main())

"""One process of row 19: so many callers at once ask one function that Redis shares with other processes.

Started as `herd.py LIBRARY WAY URL CALLERS`, it says that it is ready, reads a number and an instant for each
round, and tells how often it computed, when its last caller was answered, and who got what they should not.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

TTL = 600
PATIENCE = "5s"
WORK_S = 0.1
# What is asked before the first round, so that connections are there.
WARM = -1

Function = Callable[..., Any]


def _everwarm(url: str, function: Function) -> Function:
    library = import_module("everwarm")
    # Who gets no answer in time computes alone, and on a busy machine four hundred callers may take long.
    stores = ["memory://", library.Tier(f"{url}?timeout={PATIENCE}", timeout=PATIENCE)]
    return library.Cache(stores, namespace="herd")(ttl=TTL)(function)


def _dogpile(url: str, function: Function) -> Function:
    arguments = {"url": url, "distributed_lock": True, "thread_local_lock": False}
    region = import_module("dogpile.cache").make_region()
    region.configure("dogpile.cache.redis", expiration_time=TTL, arguments=arguments)
    return region.cache_on_arguments()(function)


def _cachekit(url: str, function: Function) -> Function:
    backend = import_module("cachekit.backends.redis").RedisBackend(redis_url=url)
    return import_module("cachekit").cache(ttl=TTL, backend=backend)(function)


def _cachier(url: str, function: Function) -> Function:
    client = import_module("redis").Redis.from_url(url)
    cachier = import_module("cachier").cachier
    return cachier(backend="redis", redis_client=client, stale_after=timedelta(seconds=TTL))(function)


def _cachine(url: str, function: Function) -> Function:
    place = urlsplit(url)
    kind = "AsyncRedisCache" if asyncio.iscoroutinefunction(function) else "RedisCache"
    cache = getattr(import_module("cachine"), kind)(host=place.hostname, port=place.port)
    return import_module("cachine.decorators").cached(cache=cache, ttl=TTL, singleflight=True)(function)


def _aiocache(url: str, function: Function) -> Function:
    place, library = urlsplit(url), import_module("aiocache")
    stampede = library.cached_stampede(
        lease=2, ttl=TTL, cache=library.Cache.REDIS, endpoint=place.hostname, port=place.port
    )
    return stampede(function)


def _cashews(url: str, function: Function) -> Function:
    cache = import_module("cashews").Cache()
    cache.setup(url)
    return cache(ttl=TTL, lock=True)(function)


THREADS = {
    "everwarm": _everwarm,
    "dogpile.cache": _dogpile,
    "cachekit": _cachekit,
    "cachier": _cachier,
    "cachine": _cachine,
}
TASKS = {
    "everwarm": _everwarm,
    "cachekit": _cachekit,
    "cachine": _cachine,
    "aiocache": _aiocache,
    "cashews": _cashews,
}
WAYS = {"threads": THREADS, "tasks": TASKS}


class Told:
    """What becomes of a round."""

    def __init__(self) -> None:
        self.computed: list[int] = []
        self.answers: list[int] = []
        self.errors: list[str] = []

    def line(self, expected: int) -> str:
        """Return it as a line for the parent."""
        wrong = sum(answer != expected for answer in self.answers)
        fields = {"computations": len(self.computed), "ended": time.monotonic(), "wrong": wrong}
        return json.dumps({**fields, "errors": self.errors[:1], "failed": len(self.errors)})


told = Told()


def compute(x: int) -> int:
    told.computed.append(x)
    time.sleep(WORK_S)
    return x + 1


async def acompute(x: int) -> int:
    told.computed.append(x)
    await asyncio.sleep(WORK_S)
    return x + 1


def of_threads(make: Function, url: str, callers: int) -> None:
    """Let threads, all started and parked on one event, call at the instant."""
    function = make(url, compute)
    function(WARM)
    for number, instant in rounds():
        go = threading.Event()

        def call(go: threading.Event = go, number: int = number) -> None:
            go.wait()
            try:
                told.answers.append(function(number))
            except Exception as error:
                told.errors.append(f"{type(error).__name__}: {error}")

        threads = [threading.Thread(target=call, daemon=True) for _ in range(callers)]
        for thread in threads:
            thread.start()
        time.sleep(max(0.0, instant - time.monotonic()))
        go.set()
        for thread in threads:
            thread.join()
        print(told.line(number + 1), flush=True)


async def of_tasks(make: Function, url: str, callers: int) -> None:
    """Let tasks of one event loop call at the instant."""
    function = make(url, acompute)
    await function(WARM)
    for number, instant in rounds():

        async def call(number: int = number) -> None:
            try:
                told.answers.append(await function(number))
            except Exception as error:
                told.errors.append(f"{type(error).__name__}: {error}")

        await asyncio.sleep(max(0.0, instant - time.monotonic()))
        await asyncio.gather(*(call() for _ in range(callers)))
        print(told.line(number + 1), flush=True)


def rounds() -> Any:
    """Give the number and the instant of each round, until there is none."""
    global told
    print("ready", flush=True)
    for line in sys.stdin:
        number, instant = line.split()
        told = Told()
        yield int(number), float(instant)


def main() -> None:
    """Take part as the arguments say."""
    library, way, url, callers = sys.argv[1:]
    make = WAYS[way][library]
    if way == "tasks":
        asyncio.run(of_tasks(make, url, int(callers)))
    else:
        of_threads(make, url, int(callers))


if __name__ == "__main__":
    main()

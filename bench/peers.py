"""The libraries that are compared, each decorated as its own documentation says, with memory as its store.

Where a library has them, a ttl of ten minutes, a bound of 100,000 entries, thread safety and statistics
are on.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any

MAX_ENTRIES = 100_000
TTL = 600
Function = Callable[..., Any]


class LeftOut(Exception):
    """A peer cannot take part in a row; the message is the reason that is printed."""


@dataclass(frozen=True)
class Attempt:
    """Lets a peer do something; what it raises is noted under its name, in one line, and goes no further."""

    name: str
    left_out: dict[str, str]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        reason = str(error) if isinstance(error, LeftOut) else f"{type(error).__name__}: {error}"
        reason = " ".join(reason.split())
        self.left_out[self.name] = reason if len(reason) <= 160 else reason[:157] + "..."
        return True


@dataclass(frozen=True)
class Held:
    """A cache used as a table: its bound methods, and how a statement reads what `get(x)` gives."""

    get: Function
    put: Function
    value: str = "get(x)"
    missing: str = "get(x) is None"


class Peer:
    """One library. A method that is not overridden is an ability it does not have."""

    name = ""
    distribution = ""
    module = ""

    def load(self, name: str = "") -> Any:
        """Import the library (or one of its modules), or leave the peer out with the reason."""
        try:
            return import_module(name or self.module)
        except Exception as error:
            raise LeftOut(f"cannot be imported: {error}") from error

    def sync(self, function: Function) -> Function:
        """Decorate a plain function."""
        raise LeftOut("decorates coroutine functions only")

    def awaited(self, function: Function) -> Function:
        """Decorate a coroutine function."""
        raise LeftOut("does not cache coroutine functions")

    def method(self, function: Function) -> Function:
        """Decorate a function that is an attribute of a class."""
        return self.sync(function)

    def store(self) -> Any:
        """Give what each instance of a class with a decorated method must own, if anything."""
        return None

    def keyword(self, function: Function) -> Function:
        """Decorate a function that is called with keyword arguments."""
        return self.sync(function)

    def flight(self, function: Function) -> Function:
        """Decorate a plain function with single flight switched on, where the library has it."""
        return self.sync(function)

    def awaited_flight(self, function: Function) -> Function:
        """Decorate a coroutine function with single flight switched on, where the library has it."""
        return self.awaited(function)

    def table(self, capacity: int, ttl: int | None) -> Held:
        """Make a cache of so many entries, to be used by key; without a ttl it only evicts."""
        raise LeftOut("is compared as a decorator only")


class Everwarm(Peer):
    """A cache with a bound; the functions decorated with it have a ttl."""

    name, distribution, module = "everwarm", "everwarm", "everwarm"

    def sync(self, function: Function) -> Function:
        return self.load().Cache(max_entries=MAX_ENTRIES)(ttl=TTL)(function)

    awaited = sync

    def table(self, capacity: int, ttl: int | None) -> Held:
        library = self.load()
        cache = library.Cache(max_entries=capacity, policy=library.Policy(ttl=ttl))
        return Held(cache.get, cache.set)


class Functools(Peer):
    """The standard library's cache: no ttl, no coroutines."""

    name, module = "functools.lru_cache", "functools"

    def sync(self, function: Function) -> Function:
        return functools.lru_cache(maxsize=MAX_ENTRIES)(function)


class Cachetools(Peer):
    """A TTLCache behind `cached`; a lock makes it safe for threads, a condition joins concurrent calls."""

    name, distribution, module = "cachetools", "cachetools", "cachetools"

    def sync(self, function: Function) -> Function:
        library = self.load()
        return library.cached(library.TTLCache(MAX_ENTRIES, TTL), lock=threading.Lock(), info=True)(function)

    def method(self, function: Function) -> Function:
        library = self.load()
        # Version 8 stores a lock per instance and asks for it by a function of the instance.
        return library.cachedmethod(lambda self: self.store[0], lock=lambda self: self.store[1])(function)

    def store(self) -> Any:
        return self.load().TTLCache(MAX_ENTRIES, TTL), threading.Lock()

    def flight(self, function: Function) -> Function:
        library = self.load()
        cache = library.TTLCache(MAX_ENTRIES, TTL)
        return library.cached(cache, condition=threading.Condition(), info=True)(function)

    def table(self, capacity: int, ttl: int | None) -> Held:
        library = self.load()
        # A table alone has no lock; threads would have to add one, and its cost.
        cache = library.LRUCache(capacity) if ttl is None else library.TTLCache(capacity, ttl)
        return Held(cache.get, cache.__setitem__)


class Cachebox(Peer):
    """A TTLCache behind `cached`, which joins concurrent calls by default."""

    name, distribution, module = "cachebox", "cachebox", "cachebox"

    def sync(self, function: Function) -> Function:
        library = self.load()
        return library.cached(library.TTLCache(MAX_ENTRIES, TTL))(function)

    awaited = sync

    def table(self, capacity: int, ttl: int | None) -> Held:
        library = self.load()
        cache = library.LRUCache(capacity) if ttl is None else library.TTLCache(capacity, ttl)
        return Held(cache.get, cache.insert)


class MokaPy(Peer):
    """`cached` over Moka; concurrent calls are joined when `wait_concurrent` is set."""

    name, distribution, module = "moka-py", "moka-py", "moka_py"

    def sync(self, function: Function) -> Function:
        return self.load().cached(maxsize=MAX_ENTRIES, ttl=TTL)(function)

    awaited = sync

    def flight(self, function: Function) -> Function:
        return self.load().cached(maxsize=MAX_ENTRIES, ttl=TTL, wait_concurrent=True)(function)

    awaited_flight = flight

    def table(self, capacity: int, ttl: int | None) -> Held:
        cache = self.load().Moka(capacity, ttl=ttl)
        return Held(cache.get, cache.set)


class Theine(Peer):
    """`Memoize` with its automatic key function; concurrent calls are joined by default."""

    name, distribution, module = "theine", "theine", "theine"

    def sync(self, function: Function) -> Function:
        return self.load().Memoize(MAX_ENTRIES, timedelta(seconds=TTL), typed=True)(function)

    awaited = sync

    def table(self, capacity: int, ttl: int | None) -> Held:
        cache = self.load().Cache(capacity)
        put = cache.set if ttl is None else functools.partial(cache.set, ttl=timedelta(seconds=ttl))
        return Held(cache.get, put, value="get(x)[0]", missing="not get(x)[1]")


class AsyncLru(Peer):
    """The counterpart of `lru_cache` for coroutine functions, with a ttl."""

    name, distribution, module = "async-lru", "async-lru", "async_lru"

    def awaited(self, function: Function) -> Function:
        return self.load().alru_cache(maxsize=MAX_ENTRIES, ttl=TTL)(function)


class Cachekit(Peer):
    """The plain decorator, kept in the process (`backend=None`)."""

    name, distribution, module = "cachekit @cache", "cachekit", "cachekit"

    def sync(self, function: Function) -> Function:
        return self.load().cache(ttl=TTL, backend=None)(function)

    awaited = sync


class CachekitMinimal(Cachekit):
    """Its preset for speed."""

    name = "cachekit @cache.minimal"

    def sync(self, function: Function) -> Function:
        return self.load().cache.minimal(ttl=TTL, backend=None)(function)

    awaited = sync


class CachekitLocal(Cachekit):
    """Its preset for objects held by reference."""

    name = "cachekit @cache.local"

    def sync(self, function: Function) -> Function:
        return self.load().cache.local(ttl=TTL, max_entries=MAX_ENTRIES)(function)

    awaited = sync


class Cachier(Peer):
    """The memory core; it has no bound."""

    name, distribution, module = "cachier", "cachier", "cachier"

    def sync(self, function: Function) -> Function:
        return self.load().cachier(backend="memory", stale_after=timedelta(seconds=TTL))(function)

    awaited = sync


class Cachine(Peer):
    """`cached` over an InMemoryCache; concurrent calls are joined when `singleflight` is set."""

    name, distribution, module = "cachine", "cachine", "cachine"

    def decorator(self, **options: Any) -> Function:
        cache = self.load().InMemoryCache(max_size=MAX_ENTRIES)
        return self.load("cachine.decorators").cached(cache=cache, ttl=TTL, **options)

    def sync(self, function: Function) -> Function:
        return self.decorator()(function)

    awaited = sync

    def flight(self, function: Function) -> Function:
        return self.decorator(singleflight=True)(function)

    awaited_flight = flight


class Cachestack(Peer):
    """`cached` over a MemoryBackend; a plain function runs an event loop for each look-up."""

    name, distribution, module = "cachestack", "cachestack", "cachestack"

    def sync(self, function: Function) -> Function:
        library = self.load()
        cache = library.MemoryBackend(library.MemoryConfig(policy="lru", maxsize=MAX_ENTRIES))
        return library.cached(cache=cache, ttl=TTL)(function)

    awaited = sync

    def awaited_flight(self, function: Function) -> Function:
        library = self.load()
        memory = library.MemoryBackend(library.MemoryConfig(policy="lru", maxsize=MAX_ENTRIES))
        # Its documentation names the tiered cache as the one with stampede protection.
        return library.cached(cache=library.TieredCache([memory]), ttl=TTL)(function)


class Dogpile(Peer):
    """A region over memory, which has no bound; concurrent calls of threads are joined by default."""

    name, distribution, module = "dogpile.cache", "dogpile.cache", "dogpile.cache"

    def region(self, **options: Any) -> Any:
        return self.load().make_region(**options).configure("dogpile.cache.memory", expiration_time=TTL)

    def sync(self, function: Function) -> Function:
        return self.region().cache_on_arguments()(function)

    def keyword(self, function: Function) -> Function:
        generator = self.load("dogpile.cache.util").kwarg_function_key_generator
        return self.region(function_key_generator=generator).cache_on_arguments()(function)


class Aiocache(Peer):
    """`cached` over its simple memory cache, which has no bound; `cached_stampede` joins concurrent calls."""

    name, distribution, module = "aiocache", "aiocache", "aiocache"

    def awaited(self, function: Function) -> Function:
        return self.load().cached(ttl=TTL)(function)

    def awaited_flight(self, function: Function) -> Function:
        return self.load().cached_stampede(lease=2, ttl=TTL)(function)


class Cashews(Peer):
    """A cache set up with `mem://`; concurrent calls are joined when `lock` is set."""

    name, distribution, module = "cashews", "cashews", "cashews"

    def decorator(self, **options: Any) -> Function:
        cache = self.load().Cache()
        cache.setup(f"mem://?size={MAX_ENTRIES}")
        return cache(ttl=TTL, **options)

    def awaited(self, function: Function) -> Function:
        return self.decorator()(function)

    def awaited_flight(self, function: Function) -> Function:
        return self.decorator(lock=True)(function)


PEERS: tuple[Peer, ...] = (
    Functools(),
    Everwarm(),
    Cachetools(),
    Cachebox(),
    MokaPy(),
    Theine(),
    AsyncLru(),
    Dogpile(),
    Aiocache(),
    Cashews(),
    Cachekit(),
    CachekitMinimal(),
    CachekitLocal(),
    Cachier(),
    Cachine(),
    Cachestack(),
)

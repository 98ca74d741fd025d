"""The two ways to a verb: called directly, or awaited as its a-twin."""

from __future__ import annotations

import asyncio


class Direct:
    """The verbs of a cache as they are."""

    is_async = False

    def __init__(self, cache):
        self.cache = cache

    def __getattr__(self, name):
        return getattr(self.cache, name)

    def computing(self, compute):
        """What ``get_or_compute`` takes in this world."""
        return compute

    def scan(self, prefix=""):
        return list(self.cache.scan(prefix))

    def end(self):
        pass


class Awaited(Direct):
    """The a-twins, each awaited on one loop."""

    is_async = True

    def __init__(self, cache):
        super().__init__(cache)
        self.loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        twin = getattr(self.cache, "a" + name)
        return lambda *args, **keywords: self.loop.run_until_complete(twin(*args, **keywords))

    def computing(self, compute):
        async def awaited():
            return compute()

        return awaited

    def scan(self, prefix=""):
        async def scanned():
            return [key async for key in self.cache.ascan(prefix)]

        return self.loop.run_until_complete(scanned())

    def end(self):
        self.loop.close()


WORLDS = {"direct": Direct, "awaited": Awaited}

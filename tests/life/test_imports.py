"""P1: no call imports a module of ours, since the child of a fork would wait for that module for ever."""

from __future__ import annotations

import os

import pytest
from servers import needed

pytestmark = pytest.mark.timeout(60)

PRELUDE = """
import asyncio, os, pkgutil, signal, sys, threading, time, warnings

import everwarm
from everwarm import Cache

warnings.simplefilter("ignore", DeprecationWarning)
"""

# What is loaded by who uses trio, pandas or numpy, by the command, and what users import themselves.
OTHERS = {"everwarm._trio", "everwarm._format_arrays", "everwarm.testing", "everwarm.integrations"}
OTHERS |= {"everwarm.__main__", "everwarm._serve", "everwarm._copy_command"}


@pytest.mark.parametrize("made", ["Cache()", "cache(abs)", "lru_cache(abs)"])
def test_what_is_made_first_loads_all_that_calls_need(made, run):
    listed = run(
        PRELUDE
        + f"""
from everwarm import cache, lru_cache
here = set(sys.modules)
{made}
listed = {{module.name for module in pkgutil.iter_modules(everwarm.__path__, "everwarm.")}}
print(*listed - set(sys.modules))
assert not {{"asyncio", "inspect", "dataclasses", "typing"}} & set(sys.modules) - here
Cache("disk:///nowhere/at/all")
print(*listed - set(sys.modules))
"""
    ).splitlines()
    stored = {
        f"everwarm.{name}"
        for name in "_stored _schema _upgrade _replay _format_frames _format_stream _format_buffers".split()
    }
    assert [set(line.split()) for line in listed] == [stored | OTHERS, OTHERS]


def test_the_import_alone_loads_little(run):
    assert (
        run(
            """
import sys
import everwarm
print(*{"asyncio", "inspect", "dataclasses", "typing", "threading", "logging", "trio"} & set(sys.modules))
"""
        )
        == "\n"
    )


CALLS = """
shop = Cache(sys.argv[1], namespace="imports")

class Finder:
    # Where what is not loaded yet is looked for. Whoever comes here holds the lock of that module.
    looked_for, go = [], threading.Event()

    def find_spec(self, name, path=None, target=None):
        if name.startswith("everwarm"):
            self.looked_for.append(name)
            ready.set()
            self.go.wait(30)

@shop(name="echo", ttl=60, tags=["tag"], when=lambda value: value.real_is_missing)
def echo(x: int) -> int:
    return x

@shop(name="old", ttl=0.001, stale_while_revalidate=60)
def old(x: int) -> int:
    return x

@shop(name="later", ttl=60)
async def later(x: int) -> int:
    await asyncio.sleep(0)
    return x

@shop(name="old_later", ttl=0.001, stale_while_revalidate=60)
async def old_later(x: int) -> int:
    return x

@shop(name="often", ttl=3600, refresh_every=60)
def often(x: int) -> int:
    return x

@shop(name="unfit")
def unfit(x: int) -> object:
    return object()

@shop.batch(name="many", collect="1ms")
async def many(ids: list[int]) -> dict[int, int]:
    return {id: id for id in ids}

@shop(name="items")
def items(x: int):
    yield x

def calls():
    for x in range(2):
        echo(x), old(x), often(x), unfit(x), list(items(x))
        time.sleep(0.002)
        old(x)
    together = [threading.Thread(target=echo, args=(7,)) for _ in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    echo.using(hard_timeout="5s")(8)
    echo.invalidate(1), echo.explain(1), str(shop.describe()), echo.call(1).cache_status(), echo.stats()
    shop.set("a", 1, ttl=60), shop.get("a"), shop.incr("n"), shop.get_or_compute("b", lambda: 1)
    with shop.lock("lock"), shop.semaphore("slots", 2), shop.unit_of_work():
        pass
    asyncio.run(awaited())

async def awaited():
    await asyncio.gather(*(later(x % 2) for x in range(4)), *(many.load(x) for x in range(4)))
    await later.ainvalidate(1)
    await old_later(1)
    await asyncio.sleep(0.002)
    await old_later(1)
    await shop.aset("a", 1), await shop.aget("a"), await shop.aping()
    async with shop.lock("awaited"):
        pass

ready = threading.Event()
finder = Finder()
sys.meta_path.insert(0, finder)

def work():
    calls()
    ready.set()

thread = threading.Thread(target=work)
thread.start()
assert ready.wait(30)
child = os.fork()
if child == 0:
    signal.alarm(20)
    code = 1
    try:
        finder.go.set()
        calls()
        code = 0
    finally:
        os._exit(code)
finder.go.set()
thread.join()
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
print(*finder.looked_for)
os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("kind", ["memory", "disk", "redis"])
def test_a_child_that_is_forked_within_a_first_use(kind, script, tmp_path):
    url = {"memory": "memory://", "disk": f"disk://{tmp_path}/store"}.get(kind)
    url = url or f"{needed('EVERWARM_TEST_REDIS')}?timeout=5s"
    ended = script(PRELUDE + CALLS, url).end()
    assert (ended.code, ended.out.split()) == (0, []), ended

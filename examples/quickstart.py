"""Everwarm in half a minute, on real work: measuring the modules of Python's standard library.

Reading, parsing and measuring one module takes milliseconds, and some modules are asked for far more often
than others. First every request does the work; then the same function has `@cache` on it. Run it:

    python examples/quickstart.py
"""

from __future__ import annotations

import ast
import asyncio
import random
import sysconfig
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from everwarm import Cache, cache
from everwarm.testing import ManualClock

LIBRARY = Path(sysconfig.get_path("stdlib"))
PACKAGES = (
    "asyncio",
    "email",
    "http",
    "importlib",
    "json",
    "logging",
    "multiprocessing",
    "unittest",
    "urllib",
)
PLAIN_REQUESTS = 150
CACHED_REQUESTS = 50_000

# ------------------------------------------------------------------------------
# The work. Each real run of a function below is noted here, so that the demonstration counts for itself.

runs: list[str] = []


@dataclass(frozen=True)
class Measures:
    """What there is to know about a module."""

    lines: int
    functions: int
    classes: int
    branches: int
    longest_function: str
    longest_lines: int


def measure_source(path: str) -> Measures:
    """Read, parse and measure one file of the standard library."""
    runs.append(path)
    source = (LIBRARY / path).read_bytes()
    nodes = list(ast.walk(ast.parse(source)))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    longest = max(functions, key=length, default=None)
    return Measures(
        lines=source.count(b"\n"),
        functions=len(functions),
        classes=sum(isinstance(node, ast.ClassDef) for node in nodes),
        branches=sum(isinstance(node, ast.If | ast.For | ast.While | ast.Try | ast.BoolOp) for node in nodes),
        longest_function=longest.name if longest else "none",
        longest_lines=length(longest) if longest else 0,
    )


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how many lines a function has."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


# ------------------------------------------------------------------------------
# The cache. This is all that a program has to write.


@cache
def measure(path: str) -> Measures:
    """Measure a module, or remember what was measured."""
    return measure_source(path)


@cache
async def measure_async(path: str) -> Measures:
    """Do the same from a coroutine; the parser works in a thread so that the event loop stays free."""
    return await asyncio.to_thread(measure_source, path)


# ------------------------------------------------------------------------------
# Four ways to ask. Each takes a function and the requests, and returns the seconds it took.


def one_thread(function: Callable[[str], Measures], requests: Sequence[str]) -> float:
    """Ask for one module after the other."""
    start = time.perf_counter()
    for path in requests:
        function(path)
    return time.perf_counter() - start


def eight_threads(function: Callable[[str], Measures], requests: Sequence[str]) -> float:
    """Share the requests out to eight threads."""
    threads = [threading.Thread(target=one_thread, args=(function, requests[i::8])) for i in range(8)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def one_task(function: Callable[[str], Awaitable[Measures]], requests: Sequence[str]) -> float:
    """Await one module after the other."""
    return asyncio.run(in_tasks(function, requests, 1))


def many_tasks(function: Callable[[str], Awaitable[Measures]], requests: Sequence[str]) -> float:
    """Share the requests out to two hundred tasks of one event loop."""
    return asyncio.run(in_tasks(function, requests, 200))


async def in_tasks(
    function: Callable[[str], Awaitable[Measures]], requests: Sequence[str], count: int
) -> float:
    """Run the requests in `count` tasks."""

    async def work(own: Sequence[str]) -> None:
        for path in own:
            await function(path)

    start = time.perf_counter()
    await asyncio.gather(*(work(requests[i::count]) for i in range(count)))
    return time.perf_counter() - start


# ------------------------------------------------------------------------------
# What the demonstration shows.


def main() -> None:
    """Show the main job first, then what else a cache must be able to do."""
    modules = choose_modules()
    requests = skewed(modules, CACHED_REQUESTS)
    title(f"{len(modules)} modules of the standard library, asked for again and again")
    show_work(requests)
    show_rates(requests)
    show_hit(modules[0])
    show_stats()
    show_invalidation(modules[0])
    show_tags(modules, "asyncio")
    show_ttl(modules[0])
    show_single_flight(max(modules, key=lambda path: (LIBRARY / path).stat().st_size))


def choose_modules() -> list[str]:
    """Choose 150 files of ordinary size, in an order that is the same in each run."""
    files = list(LIBRARY.glob("*.py"))
    for package in PACKAGES:
        files += LIBRARY.glob(f"{package}/*.py")
    names = [file.relative_to(LIBRARY).as_posix() for file in files if 4_000 < file.stat().st_size < 80_000]
    return random.Random(7).sample(sorted(names), 150)


def skewed(modules: Sequence[str], count: int) -> list[str]:
    """Draw requests as real ones come: the n-th module is asked for 1/n times as often as the first."""
    weights = [1 / rank for rank in range(1, len(modules) + 1)]
    return random.Random(2).choices(modules, weights, k=count)


def show_work(requests: Sequence[str]) -> None:
    """Show what is asked for, and one answer."""
    popular = max(set(requests), key=requests.count)
    found = measure.uncached(popular)
    print(f"  {requests.count(popular):,} of {len(requests):,} requests are for {popular}, which has")
    counts = f"{found.lines} lines, {found.functions} functions, {found.classes} classes"
    print(f"  {counts}, {found.branches} branches.")
    print(f"  Its longest function is {found.longest_function}() with {found.longest_lines} lines.")


def show_rates(requests: Sequence[str]) -> None:
    """Compare requests per second without and with the cache, which is empty at the start of each line."""
    title("Requests per second")
    print(
        f"  Without: the first {PLAIN_REQUESTS} requests. With: all {len(requests):,}, from an empty cache.\n"
    )
    print(f"  {'asked by':<24}{'without':>9}{'with @cache':>14}{'faster':>10}{'hit ratio':>12}{'saved':>10}")
    ways: Sequence[tuple[str, Callable[[Any, Sequence[str]], float], Any]] = (
        ("one thread", one_thread, measure),
        ("8 threads", eight_threads, measure),
        ("one task", one_task, measure_async),
        ("200 tasks", many_tasks, measure_async),
    )
    for name, ask, function in ways:
        plain = PLAIN_REQUESTS / ask(function.uncached, requests[:PLAIN_REQUESTS])
        function.clear()
        before, already = function.stats(), len(runs)
        cached = len(requests) / ask(function, requests)
        after, computed = function.stats(), len(runs) - already
        hit_ratio = (after.hits - before.hits) / (after.calls - before.calls)
        print(
            f"  {name:<24}{plain:>9,.0f}{cached:>14,.0f}{cached / plain:>8,.0f} ×"
            f"{hit_ratio:>11.2%}{len(requests) - computed:>11,}"
        )
        assert computed == len(set(requests)), "each module is computed once"


def show_hit(path: str) -> None:
    """Compare one hit with one computation."""
    title("What one hit costs")
    measure(path)
    count = 200_000
    start = time.perf_counter()
    for _ in range(count):
        pass
    empty = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(count):
        measure(path)
    hit = (time.perf_counter() - start - empty) / count
    start = time.perf_counter()
    measure.uncached(path)
    computation = time.perf_counter() - start
    print(f"  a hit             {hit * 1e9:>12,.0f} ns")
    print(f"  the computation   {computation * 1e9:>12,.0f} ns   ({path})")


def show_stats() -> None:
    """Print what the function's cache says about itself."""
    title("measure.stats()")
    stats = measure.stats()
    names = (
        "calls",
        "hits",
        "misses",
        "bypass",
        "computations",
        "followers",
        "evicted",
        "expired",
        "refused",
        "errors",
    )
    for name in (*names, "entries"):
        print(f"  {name:<14}{getattr(stats, name):>12,}")
    print(f"  {'hit_ratio':<14}{stats.hit_ratio:>12.4f}")


def show_invalidation(path: str) -> None:
    """Forget one module; it is computed once more, however often it is asked for."""
    title("measure.invalidate(...)")
    measure(path)
    already = len(runs)
    measure.invalidate(path)
    for _ in range(1_000):
        measure(path)
    print(f"  {path} was invalidated, then asked for 1,000 times;")
    print(f"  computations: {len(runs) - already}")
    assert len(runs) == already + 1


def show_tags(modules: Sequence[str], package: str) -> None:
    """Forget all modules of one package in one step."""
    title("cache.invalidate_tags(...)")

    @cache(tags=lambda path: [f"package:{path.rpartition('/')[0]}"])
    def count_lines(path: str) -> int:
        runs.append(path)
        return (LIBRARY / path).read_bytes().count(b"\n")

    for path in modules:
        count_lines(path)
    already = len(runs)
    cache.invalidate_tags(f"package:{package}")
    for path in modules:
        count_lines(path)
    print(f"  package:{package} was invalidated, then all {len(modules)} modules were asked for:")
    print(f"  {len(runs) - already} were computed again, those of {package}")
    assert sorted(runs[already:]) == sorted(path for path in modules if path.startswith(f"{package}/"))


def show_ttl(path: str) -> None:
    """Let a ttl run out, with a clock that is moved by hand."""
    title('ttl="10m"')
    clock = ManualClock()
    timed = Cache(clock=clock)

    @timed(ttl="10m")
    def measure_for_a_while(path: str) -> Measures:
        return measure_source(path)

    measure_for_a_while(path)
    for seconds, passed in ((599, "9 min 59 s"), (1, "10 min")):
        already = len(runs)
        clock.advance(seconds)
        measure_for_a_while(path)
        print(f"  after {passed:<10}  {'computed again' if len(runs) > already else 'a hit'}")
    assert len(runs) == already + 1


def show_single_flight(path: str) -> None:
    """Let many threads ask for one missing module at the same moment."""
    title("Single flight")
    count = 64
    measure.invalidate(path)
    before, already = measure.stats(), len(runs)
    together = threading.Barrier(count)

    def ask() -> None:
        together.wait()
        measure(path)

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = measure.stats()
    print(f"  {count} threads asked for {path} at the same moment;")
    print(f"  computations: {len(runs) - already}")
    print(f"  waited for it: {after.followers - before.followers}, came later: {after.hits - before.hits}")
    assert len(runs) == already + 1


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}\n{'-' * len(text)}")


if __name__ == "__main__":
    main()

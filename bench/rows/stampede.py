"""Row 18: a thousand callers at once ask for one entry that takes 100 ms to compute."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import harness
from harness import Effort
from hits import ratio
from peers import PEERS, Attempt, LeftOut, Peer
from report import Table, Verdict

CALLERS = 1_000
WORK_S = 0.1
LIMIT = 1.2
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Stampede:
    """How often the function ran, and the time beyond one computation until the last caller had its value."""

    computations: int
    overhead_ms: float


def of_threads(peer: Peer, number: int) -> Stampede:
    """Let threads, all started and parked on one event, call at once."""
    computed: list[int] = []

    def compute(x: int) -> int:
        computed.append(x)
        time.sleep(WORK_S)
        return x + 1

    function = peer.flight(compute)
    go = threading.Event()
    answers: list[int] = []
    errors: dict[str, str] = {}
    finished = threading.Semaphore(0)

    def call() -> None:
        go.wait()
        with Attempt(threading.current_thread().name, errors):
            answers.append(function(number))
        finished.release()

    threads = [threading.Thread(target=call, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    go.set()
    for _ in range(CALLERS):
        if not finished.acquire(timeout=max(0.0, start + DEADLINE_S - time.perf_counter())):
            late = CALLERS - len(answers) - len(errors)
            raise LeftOut(f"{late} of {CALLERS} callers still wait after {DEADLINE_S:.0f} s")
    elapsed = time.perf_counter() - start
    for thread in threads:
        thread.join()
    _judge(answers, errors, number + 1)
    return Stampede(len(computed), (elapsed - WORK_S) * 1_000)


def of_tasks(peer: Peer, number: int) -> Stampede:
    """Let tasks of one event loop call at once."""
    computed: list[int] = []

    async def compute(x: int) -> int:
        computed.append(x)
        await asyncio.sleep(WORK_S)
        return x + 1

    async def stampede() -> float:
        function = peer.awaited_flight(compute)

        async def call(caller: int) -> None:
            with Attempt(str(caller), errors):
                answers.append(await function(number))

        start = time.perf_counter()
        calls = [asyncio.ensure_future(call(caller)) for caller in range(CALLERS)]
        _, late = await asyncio.wait(calls, timeout=DEADLINE_S)
        elapsed = time.perf_counter() - start
        for call_ in late:
            call_.cancel()
        if late:
            raise LeftOut(f"{len(late)} of {CALLERS} callers still wait after {DEADLINE_S:.0f} s")
        return elapsed

    answers: list[int] = []
    errors: dict[str, str] = {}
    elapsed = asyncio.run(stampede())
    _judge(answers, errors, number + 1)
    return Stampede(len(computed), (elapsed - WORK_S) * 1_000)


def _judge(answers: list[int], errors: dict[str, str], expected: int) -> None:
    """Insist that every caller got the right answer."""
    if errors:
        raise LeftOut(f"{len(errors)} of {CALLERS} callers got {next(iter(errors.values()))}")
    if answers != [expected] * CALLERS:
        raise LeftOut(f"{CALLERS - answers.count(expected)} of {CALLERS} callers did not get the right value")


def run(
    stampede: Callable[[Peer, int], Stampede], rounds: int
) -> tuple[dict[str, list[Stampede]], dict[str, str]]:
    """Repeat the stampede, every peer in every round; one that fails is left out from there on.

    The round's number is the argument, so that nobody has the entry from a round before.
    """
    results: dict[str, list[Stampede]] = {peer.name: [] for peer in PEERS}
    left_out: dict[str, str] = {}
    for number in range(rounds):
        first = number % len(PEERS)
        for peer in PEERS[first:] + PEERS[:first]:
            if peer.name in left_out:
                continue
            with Attempt(peer.name, left_out):
                results[peer.name].append(stampede(peer, number))
    return {name: list_ for name, list_ in results.items() if name not in left_out}, left_out


def measure(effort: Effort) -> list[Table]:
    """Measure threads, then tasks."""
    rounds = 3 if effort.quick else 9
    tables = []
    for kind, stampede in (("threads", of_threads), ("tasks", of_tasks)):
        results, left_out = run(stampede, rounds)
        tables.append(_table(kind, results, left_out))
    return tables


def _table(kind: str, results: dict[str, list[Stampede]], left_out: dict[str, str]) -> Table:
    """Lay out the results: who computed once comes first, then by overhead."""
    overhead = {n: harness.quartiles([s.overhead_ms for s in list_]) for n, list_ in results.items()}
    worst = {n: max(s.computations for s in list_) for n, list_ in results.items()}
    once = [overhead[n][1] for n in overhead if worst[n] == 1 and n != "everwarm"]
    best = min(once) if once else None
    lines = []
    for name in sorted(results, key=lambda n: (worst[n] > 1, overhead[n][1])):
        low, middle, high = overhead[name]
        relative = ratio(middle / best) if best and worst[name] == 1 else "–"
        lines.append((name, f"{worst[name]:,}", f"{middle:,.1f}", f"{low:,.1f}–{high:,.1f}", relative))
    limit = f"exactly 1 computation, overhead ≤ {LIMIT} × the best peer that computes once"
    verdict = Verdict(limit, f"not measured: everwarm {left_out.get('everwarm', '')}", None)
    if "everwarm" in results:
        own = overhead["everwarm"][1]
        relative = f", {own / best:.2f} × the best peer" if best else ""
        reached = f"{worst['everwarm']} computation(s), {own:.1f} ms{relative}"
        verdict = Verdict(limit, reached, worst["everwarm"] == 1 and (best is None or own <= LIMIT * best))
    columns = ("", "computations (worst)", "overhead, ms", "quartiles", "× best peer")
    return Table(18, f"stampede of {CALLERS:,} {kind}", verdict, columns, lines, left_out)

"""What the rows about Redis share: open the clients, check them, measure, and lay out."""

from __future__ import annotations

import asyncio
import inspect
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import harness
from clients import BASE, EVERWARM, Asked, Client
from harness import EMPTY_LOOP, Effort, Loop
from hits import ratio
from peers import Attempt, LeftOut
from report import Table, Verdict
from servers import Server, served

SIZE = 100
# A call takes a hundred times as long as one in the process, and the samples with it.
LONGER = 10


def values(keys: Sequence[str]) -> dict[str, bytes]:
    """Return the value of each key, which no compression shortens."""
    return {key: random.Random(key).randbytes(SIZE) for key in keys}


@dataclass
class Contest:
    """The clients of one table, open until the block ends, and those that cannot take part."""

    server: Server
    runner: asyncio.AbstractEventLoop
    closing: ExitStack
    open: dict[str, Asked] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def enter(self, clients: Sequence[Client], keys: Sequence[str], *, many: bool = False) -> None:
        """Open each client, have it put every value, and insist that it gives them back."""
        for client in clients:
            with Attempt(client.name, self.left_out):
                asked = self.run(client.open(client.library(), self.server))
                self.closing.callback(lambda asked=asked: self.run(asked.close()))
                if many and not asked.get_many:
                    raise LeftOut("does not get many")
                self._check(asked, keys)
                self.open[client.name] = asked

    def run(self, answer: Any) -> Any:
        """Return the answer, awaited where it has to be."""
        return self.runner.run_until_complete(answer) if inspect.isawaitable(answer) else answer

    def results(self, asked: Asked, statement: str, keys: Sequence[str], **names: Any) -> list[Any]:
        """Return what the statement gives for each key, awaited where it has to be."""
        given = harness.compile_results(statement, {**asked.names, **names})(keys)
        return [self.run(answer) for answer in given]

    def _check(self, asked: Asked, keys: Sequence[str]) -> None:
        expected = values(keys)
        put = asked.put.replace("value", "values[x]")
        self.results(asked, put, keys, values=expected)
        for key, got in zip(keys, self.results(asked, asked.get, keys), strict=True):
            if got != expected[key]:
                raise LeftOut(f"wrong value for {key!r}")

    def measure(self, loops: dict[str, Loop], keys: Sequence[Any], effort: Effort) -> dict[str, list[float]]:
        """Measure loops in wall time, in rounds; an empty one is subtracted."""
        empty = harness.compile_loop("pass", {}, clock=time.perf_counter_ns)
        longer = replace(effort, sample_ns=LONGER * effort.sample_ns)
        return harness.interleave({EMPTY_LOOP: empty, **loops}, keys, longer)


@contextmanager
def contest() -> Iterator[Contest]:
    """Give a contest on a fresh server; clients are closed before it ends."""
    with ExitStack() as closing:
        server = closing.enter_context(served())
        runner = asyncio.new_event_loop()
        closing.callback(runner.close)
        yield Contest(server, runner, closing)


def tabulate(
    title: tuple[int, str],
    limit: tuple[str, Callable[[float], bool]],
    contest: Contest,
    times: dict[str, list[float]],
    clients: Sequence[Client],
    *,
    speed: bool = False,
) -> Table:
    """Lay out what was measured, the fastest first: times beside the base's, or speeds."""
    lines, reached = [], {}
    for name, m in sorted(harness.compare(times, BASE).items(), key=lambda item: item[1].ns):
        beside = (m.ratio, m.ratio_low, m.ratio_high)
        if speed and all(beside):
            beside = tuple(1 / part for part in (m.ratio, m.ratio_high, m.ratio_low))
        middle, low, high = beside
        reached[name] = beside
        spread = f"{ratio(low)}–{ratio(high)}" if middle else "–"
        own = f"{1e6 / m.ns:,.1f}" if speed else f"{m.ns / 1_000:,.1f}"
        lines.append((name, own, ratio(middle), spread))
    unit = "thousands per second" if speed else "µs per call"
    columns = ("", unit, f"× {BASE}" + ("'s throughput" if speed else ""), "quartiles")
    notes = [f"{client.name} {client.more}." for client in clients if client.more and client.name in times]
    verdict = _verdict(limit, reached, contest.left_out)
    place = "Wall time; server and clients share the machine, over its loopback."
    return Table(*title, verdict, columns, lines, contest.left_out, (place, *notes))


def _verdict(
    limit: tuple[str, Callable[[float], bool]],
    reached: dict[str, tuple[float | None, ...]],
    left_out: dict[str, str],
) -> Verdict:
    """Judge Everwarm beside the base."""
    text, is_met = limit
    absent = [f"{name} {left_out[name]}" for name in (EVERWARM, BASE) if name in left_out]
    middle, low, high = reached.get(EVERWARM, (None,) * 3)
    if absent or middle is None:
        return Verdict(text, f"not measured: {'; '.join(absent)}", None)
    return Verdict(text, f"{ratio(middle)} × ({ratio(low)}–{ratio(high)})", is_met(middle))

"""Values that processes share: quickstart's function over Redis, in four processes, one killed at work.

First all four ask for the same modules at once: each module is measured once. Then all four ask for one value
that takes long, and who computes it is killed, as by `kill -9`: another takes over once its lease has ended.
Run it:

    REDIS_URL=redis://127.0.0.1:6379/0 python examples/together.py
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from typing import Any

from everwarm import Cache, Tier
from quickstart import Measures, choose_modules, measure_source

PROCESSES, MODULES = 4, 60


def work(url: str, namespace: str, what: str) -> None:
    """What one process does; it says in a line what happens."""
    # A busy machine is given time, so that the demonstration shows the same everywhere.
    shared = Cache(["memory://", Tier(url, timeout="5s")], namespace=namespace)
    measure = shared(name="measure", ttl="1h")(measure_source)

    @shared(name="longest", ttl="1h")
    def longest(count: int) -> Measures:
        """The one with the longest function of so many modules: all of them are read for it."""
        say(event="computing")
        return max(map(measure_source, choose_modules()[:count]), key=lambda one: one.longest_lines)

    if what == "modules":
        found = [measure(path) for path in choose_modules()[:MODULES]]
        say(event="done", computed=measure.stats().computations, lines=sum(one.lines for one in found))
    else:
        say(event="done", name=longest(MODULES).longest_function)
    shared.close()


def say(**what: Any) -> None:
    """Prints a line for the process that has begun this one."""
    print(json.dumps({"process": os.getpid(), **what}), flush=True)


class Workers:
    """Four processes, and what they say, as it comes."""

    def __init__(self, url: str, namespace: str, what: str) -> None:
        self.said: queue.Queue[dict[str, Any]] = queue.Queue()
        command = [sys.executable, __file__, url, namespace, what]
        self.processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
        ]
        for process in self.processes:
            threading.Thread(target=self._listen, args=(process,), daemon=True).start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.said.put(json.loads(line))

    def next(self, event: str) -> dict[str, Any]:
        """The next line, which tells of that event."""
        told = self.said.get(timeout=120)
        assert told["event"] == event, told
        return told

    def kill(self, number: int) -> None:
        """Ends one of them as it stands."""
        next(process for process in self.processes if process.pid == number).kill()

    def end(self) -> list[int]:
        """The codes that they end with."""
        codes = [process.wait(timeout=120) for process in self.processes]
        for process in self.processes:
            assert process.stdout is not None
            process.stdout.close()
        return codes


def main(url: str) -> None:
    namespace = f"together-{os.getpid()}"
    print(f"values that processes share: Redis, {PROCESSES} processes")

    workers = Workers(url, namespace, "modules")
    told = [workers.next("done") for _ in range(PROCESSES)]
    assert workers.end() == [0] * PROCESSES
    computed = sum(one["computed"] for one in told)
    print(
        f"  {MODULES} modules, for which all ask at once: {computed} computed, {PROCESSES * MODULES} requests"
    )
    assert computed == MODULES, "each module is computed once, whoever asks"
    assert len({one["lines"] for one in told}) == 1

    workers = Workers(url, namespace, "longest")
    first = workers.next("computing")["process"]
    workers.kill(first)
    killed = time.monotonic()
    print(f"  one value, for which all ask at once: process {first} computes it, and is killed")
    second = workers.next("computing")["process"]
    print(f"  process {second} took over after {time.monotonic() - killed:.1f} s")
    names = {workers.next("done")["name"] for _ in range(PROCESSES - 1)}
    assert sorted(workers.end()) == [-9, 0, 0, 0] and first != second
    print(f"  {PROCESSES - 1} processes have the value: {names.pop()}(); it was computed once by who lived")
    assert not names and workers.said.empty()

    shared = Cache(url, namespace=namespace)
    shared.clear()
    shared.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(*sys.argv[1:])
    elif "REDIS_URL" not in os.environ:
        sys.exit("it needs a server\nhint: REDIS_URL=redis://127.0.0.1:6379/0 python examples/together.py")
    else:
        main(os.environ["REDIS_URL"])

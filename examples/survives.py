"""Values that survive the process: one function on `disk:`, after a restart and from eight processes at once.

The work is that of quickstart.py in small: reading and parsing modules of Python's standard library. Each
process is a real one. Run it:

    python examples/survives.py
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from everwarm import Cache

LIBRARY = Path(sysconfig.get_path("stdlib"))
PROCESSES = 8


@dataclass
class Measures:
    """What there is to know about a module."""

    lines: int
    functions: int
    longest_name: str


def work(directory: str) -> dict[str, int | float]:
    """What one process does: asks for every module of a package, and says how that went."""
    library = Cache(f"disk://{directory}", namespace="library")

    @library(name="measure", ttl="1d")
    def measure(path: str) -> Measures:
        tree = ast.parse(Path(path).read_text(encoding="utf-8"))
        names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        return Measures(
            len(Path(path).read_text(encoding="utf-8").splitlines()), len(names), max(names, default="")
        )

    paths = sorted(str(path) for path in (LIBRARY / "asyncio").glob("*.py"))
    began = time.perf_counter()
    measures = [measure(path) for path in paths]
    took = time.perf_counter() - began
    assert all(isinstance(one, Measures) for one in measures)
    stats = measure.stats()
    library.close()
    return {
        "modules": len(paths),
        "functions": sum(one.functions for one in measures),
        "computed": stats.computations,
        "hits": stats.hits,
        "seconds": took,
    }


def start(directory: str) -> subprocess.Popen[str]:
    """A process of its own."""
    command = [sys.executable, __file__, directory]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> dict[str, int | float]:
    """What a process said."""
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    told: dict[str, int | float] = json.loads(said)
    return told


def show(what: str, told: dict[str, int | float]) -> None:
    """One line about one process."""
    milliseconds = told["seconds"] * 1e3
    print(f"  {what:<19} {told['computed']:3} computed, {told['hits']:3} hits, {milliseconds:7.1f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        directory = f"{home}/cache"
        first = end(start(directory))
        again = end(start(directory))
        print("values that survive the process: disk:")
        show("first process", first)
        show("after a restart", again)
        assert first["computed"] == first["modules"] and again["computed"] == 0
        assert first["functions"] == again["functions"]

        cold = f"{home}/cold"
        processes = [start(cold) for _ in range(PROCESSES)]
        told = [end(process) for process in processes]
        computed = sum(one["computed"] for one in told)
        asked = sum(one["modules"] for one in told)
        print(f"  {PROCESSES} processes at once {computed:3} computed in all, for {asked} requests")
        assert computed == first["modules"], "each module is computed once, whoever asks"
        assert {one["functions"] for one in told} == {first["functions"]}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(work(sys.argv[1])))
    else:
        main()

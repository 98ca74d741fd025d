"""Scripts that run in processes of their own, where a test needs to see how one ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import everwarm
import pytest
from servers import OwnServer

# How long a scenario may hang before it counts as a deadlock.
DEADLINE = 60

PACKAGES = str(Path(everwarm.__file__).parent.parent)


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    err: str
    # Seconds from the line `leaving` (else from the start) to the end.
    took: float


class Running:
    """A script that runs, and says where it has got to by printing lines."""

    def __init__(self, source: str, *arguments: str) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": PACKAGES,
            "PYTHONUNBUFFERED": "1",
            "PYTHONFAULTHANDLER": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._lines: list[str] = []
        self._since = time.monotonic()

    def until(self, line: str) -> Running:
        """Waits until the script has printed `line`."""
        assert self._process.stdout is not None
        for said in self._process.stdout:
            self._lines.append(said)
            if said.strip() == line:
                self._since = time.monotonic()
                return self
        ended = self.end()
        raise AssertionError(f"it ended with {ended.code} before it said {line!r}: {ended.out}{ended.err}")

    def send(self, number: signal.Signals) -> Running:
        self._since = time.monotonic()
        self._process.send_signal(number)
        return self

    def end(self) -> Ended:
        """Waits for the end; a script that hangs is ended and told of."""
        try:
            out, err = self._process.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            # faulthandler says where each thread is.
            self._process.send_signal(signal.SIGABRT)
            out, err = self._process.communicate()
            pytest.fail(f"the process hangs:\n{''.join(self._lines)}{out}{err}")
        took = time.monotonic() - self._since
        return Ended(self._process.returncode, "".join(self._lines) + out, err, took)


@pytest.fixture
def script():
    """Starts a script in a process of its own."""
    return Running


@pytest.fixture
def run():
    """Runs a script to its end, which has to be a good one."""

    def run(source: str, *arguments: str) -> str:
        ended = Running(source, *arguments).end()
        assert ended.code == 0, f"it ended with {ended.code}: {ended.out}{ended.err}"
        assert ended.err == "", ended.err
        return ended.out

    return run


@pytest.fixture
def server(tmp_path: Path):
    """A Redis server of this test's own, which runs."""
    made = OwnServer(tmp_path).start()
    yield made
    made.kill()


@pytest.fixture(scope="module")
def alone() -> Iterator[None]:
    """Collections look at what these tests make, and not at all that a long run has left in memory."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()

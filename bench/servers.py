"""Servers of a measurement's own, started and ended by `scripts/servers`."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from peers import LeftOut

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts" / "servers"


@dataclass(frozen=True)
class Server:
    """Where a Redis server listens."""

    url: str

    @property
    def host(self) -> str:
        """Return its host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return its port."""
        return urlsplit(self.url).port or 0

    def database(self, number: int) -> str:
        """Return the URL of one of its databases."""
        return urlsplit(self.url)._replace(path=f"/{number}").geturl()


@contextmanager
def started(kind: str) -> Iterator[dict[str, str]]:
    """Give the variables of a kind of servers that nobody else asks, until the block ends."""
    up = subprocess.run([SCRIPTS / "up", kind], capture_output=True, text=True, check=False)
    if up.returncode:
        said = (up.stderr.strip().splitlines() or ["no message"])[-1]
        raise LeftOut(f"no server of {kind} could be started: {said}")
    words = (line.partition("export ")[2].partition("=") for line in up.stdout.splitlines())
    told = {name: shlex.split(value)[0] for name, _, value in words if name}
    try:
        yield told
    finally:
        # A cache of this process must not find the names of tests in its environment.
        environment = {**os.environ, **told}
        subprocess.run([SCRIPTS / "down"], env=environment, capture_output=True, check=False)


@contextmanager
def served() -> Iterator[Server]:
    """Give a Redis server of one's own; it persists nothing."""
    with started("redis") as told:
        yield Server(told["EVERWARM_TEST_REDIS"])

"""The servers that tests ask: each is named by an environment variable, as `scripts/servers` prints them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from everwarm.testing import open_store

# Taken out of the environment: to a cache, a variable that begins so would be a setting that does not exist.
_SERVERS = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("EVERWARM_TEST_")}

_told = set()


def needed(variable):
    """The URL in an environment variable; without one the test is skipped, loudly, or fails in CI."""
    url = _SERVERS.get(variable)
    if url:
        return url
    message = f"{variable} is not set"
    if os.environ.get("CI") == "true" and variable not in _SERVERS.get("EVERWARM_TEST_LEFT_OUT", ""):
        pytest.fail(f"{message}: start them with scripts/servers")
    if variable not in _told:
        _told.add(variable)
        print(f"\nSKIPPED: {message}", file=sys.__stderr__)
    pytest.skip(message)


SCRIPTS = Path(__file__).parent.parent / "scripts" / "servers"

# For a loaded machine; far below a hang.
PATIENCE = 20.0


def programs():
    """A Redis server and its client that tests may start, where there are servers to be asked at all."""
    needed("EVERWARM_TEST_REDIS")
    found = [os.environ.get(name.upper().replace("-", "_")) or shutil.which(name) for name in PROGRAMS]
    if all(found):
        return found
    fetched = subprocess.run([SCRIPTS / "fetch.sh"], check=True, capture_output=True, text=True).stdout
    return [f"{fetched.strip()}/{name}" for name in PROGRAMS]


PROGRAMS = ("redis-server", "redis-cli")


class OwnServer:
    """A Redis server of one test's own, which it may kill, freeze, and start again at the same port."""

    def __init__(self, place, *options, environment=None):
        self._place, self._environment = place, environment
        self._program, self._client = programs()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._options = ["--save", "", "--dir", str(place), *options]
        self._process = None
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        """Returns as soon as it takes connections."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", *self._options]
        self._process = subprocess.Popen(
            [self._program, *options], stdout=subprocess.DEVNULL, cwd=self._place, env=self._environment
        )
        end = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                assert time.monotonic() < end, "the server does not start"
                time.sleep(0.005)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def freeze(self):
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def say(self, *words):
        """What the server says to a command."""
        return said(self._client, self.port, *words)


def said(client, port, *words):
    """What ``redis-cli`` prints of the answer of the server at a port."""
    command = [client, "-p", str(port), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()


class Group:
    """Servers of one kind that are a test's own, as ``scripts/servers`` starts them: it may kill each."""

    def __init__(self, kind, environment=None):
        self._client = programs()[1]
        words = [SCRIPTS / "up", kind]
        up = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120, env=environment)
        told = dict(re.findall(r"^export (\w+)='([^']*)'$", up.stdout, re.MULTILINE))
        self.root = told["EVERWARM_TEST_SERVERS"]
        self.url = told[f"EVERWARM_TEST_REDIS_{kind.upper()}"]
        self.ports = [int(port) for port in re.findall(r":(\d+)", self.url)]
        self.places = {
            int(re.search(r"^port (\d+)", conf.read_text(), re.MULTILINE)[1]): conf.parent
            for conf in Path(self.root, kind).glob("*/redis.conf")
        }

    def kill(self, port):
        """Kills the server at a port."""
        os.kill(int((self.places[port] / "pid").read_text()), signal.SIGKILL)

    def again(self, port):
        """Starts a server that was killed, at the port that it had."""
        subprocess.run([SCRIPTS / "again", self.places[port]], check=True, capture_output=True, timeout=60)

    def say(self, port, *words):
        """What the server at a port says to a command."""
        return said(self._client, port, *words)

    def end(self):
        with suppress(subprocess.TimeoutExpired):
            subprocess.run([SCRIPTS / "down", self.root], check=True, capture_output=True, timeout=60)


def emptied(url, namespace):
    """The URL, with the patience that a loaded machine needs, once nothing of a namespace is left there."""
    url = f"{url}?timeout=5s"
    store = open_store(url)
    store.clear(f"{namespace}:")
    store.close()
    return url

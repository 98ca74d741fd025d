"""Scripts in processes of their own, which tests kill, freeze and talk to, line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import everwarm

# A lease lasts five seconds; one more for the takeover, and some for a loaded machine.
TAKEOVER = 5 + 1 + 2
PATIENCE = 60

HOLDER = """
import sys
from everwarm import Cache

url, name, key = sys.argv[1:]
shop = Cache([url], namespace="shop")

@shop(name=name, depends_on="nothing")
def slow(x):
    print("computing", sum(shop.tiers()[-1].errors.values()), flush=True)
    sys.stdin.readline()
    return -1

value, store = slow(int(key)), shop.tiers()[-1]
print(value, store.sets, store, flush=True)
"""


class Process:
    """A script that runs, and says what it does by printing lines."""

    def __init__(self, source, *arguments, environment=os.environ):
        environment = {**environment, "PYTHONPATH": str(Path(everwarm.__file__).parent.parent)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    @property
    def pid(self):
        return self._process.pid

    def hears(self):
        """The next line that it prints."""
        line = self._process.stdout.readline()
        assert line, f"it ended: {self._process.stderr.read()}"
        return line.strip()

    def tell(self, line):
        """Writes a line to its input."""
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def killed(self):
        """Kills it; when that was."""
        self._process.kill()
        return time.monotonic()

    def frozen(self):
        """Freezes it; when that was."""
        self._process.send_signal(signal.SIGSTOP)
        return time.monotonic()

    def thaw(self):
        self._process.send_signal(signal.SIGCONT)

    def end(self):
        """Its exit code, and what else it printed, where it complains of nothing."""
        out, err = self._process.communicate(timeout=PATIENCE)
        assert err == "", err
        return self._process.returncode, out


class Holder(Process):
    """It computes a key of a function to -1 until it may go on: under the lease, unless its store failed."""

    def __init__(self, url, name, key):
        super().__init__(HOLDER, url, name, key)
        says, failures = self.hears().split()
        assert says == "computing"
        # How often its store has failed by now.
        self.failures = int(failures)

    def goes_on(self):
        """Lets it end its computation; how many values it has stored, and what it says of its store."""
        self.thaw()
        self.tell("go")
        value, sets, store = self.hears().split(maxsplit=2)
        assert value == "-1"
        return int(sets), store

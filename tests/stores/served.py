"""Servers that share a store behind HTTP, for tests that ask them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager


def command(*arguments):
    return [sys.executable, "-m", "everwarm", "serve", *map(str, arguments)]


@contextmanager
def serving(*arguments, listen="127.0.0.1:0", env=None):
    """A server in a process of its own, and the URL that it says."""
    started = subprocess.Popen(
        command("--listen", listen, *arguments),
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    try:
        line = started.stdout.readline()
        assert line.startswith("serving "), line
        yield line.split()[-1], started
    finally:
        if started.poll() is None:
            started.terminate()
        started.stdout.close()
        assert started.wait(timeout=30) in (0, -signal.SIGKILL)

"""The servers that tests ask: each is named by an environment variable, as `scripts/servers` prints them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    message = f"{variable} names no server"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{message}: start them with scripts/servers")
    if variable not in _told:
        _told.add(variable)
        print(f"\nSKIPPED: {message}", file=sys.__stderr__)
    pytest.skip(message)


def program():
    """A Redis server that a test may start and kill, where there are servers to be asked at all."""
    needed("EVERWARM_TEST_REDIS")
    found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server")
    if found:
        return found
    fetch = Path(__file__).parent.parent / "scripts" / "servers" / "fetch.sh"
    fetched = subprocess.run([fetch], check=True, capture_output=True, text=True).stdout.strip()
    return f"{fetched}/redis-server"


def emptied(url, namespace):
    """The URL, with the patience that a loaded machine needs, once nothing of a namespace is left there."""
    url = f"{url}?timeout=5s"
    store = open_store(url)
    store.clear(f"{namespace}:")
    store.close()
    return url

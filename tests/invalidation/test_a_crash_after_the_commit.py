"""Who is killed between its commit and the invalidation leaves no stale entry, if it marked before."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing

import pytest
from everwarm import Cache
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.chance]

WRITER = """
    import os, signal, sqlite3, sys, time
    from everwarm import Cache

    store, rows, mark, steps = sys.argv[1:]
    cache = Cache(f"disk://{store}", namespace="shop")
    database = sqlite3.connect(rows, isolation_level=None, timeout=60)

    def write(pause):
        with cache.unit_of_work(mark_before=mark == "mark", timeout="2s"):
            database.execute("BEGIN IMMEDIATE")
            database.execute("UPDATE stock SET count = count + 1")
            cache.invalidate_tags("stock")
            pause()
            database.execute("COMMIT")
            pause()

    if steps == "one":
        def pause():
            print("here", flush=True)
            sys.stdin.readline()
        write(pause)
    while True:
        write(lambda: time.sleep(0.001))
"""


class Place:
    """A database, a store, and this process's cache before them."""

    def __init__(self, path):
        self.store, self.rows = path / "store", path / "rows.db"
        with closing(sqlite3.connect(self.rows)) as database, database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE stock (count INTEGER)")
            database.execute("INSERT INTO stock VALUES (0)")
        self.cache = Cache(f"disk://{self.store}", namespace="shop")

        @self.cache(name="stock", tags=["stock"], depends_on="nothing")
        def stock() -> int:
            return self.count()

        self.stock = stock

    def count(self):
        with closing(sqlite3.connect(self.rows, timeout=60)) as database:
            return database.execute("SELECT count FROM stock").fetchone()[0]

    def writer(self, mark, steps):
        command = [sys.executable, "-c", textwrap.dedent(WRITER), self.store, self.rows, mark, steps]
        return subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    made.cache.close()


def killed_after_its_commit(place, mark):
    """What is read once a writer was killed there, while this process read on; and what would be right."""
    assert place.stock() == 0
    writer = place.writer(mark, "one")
    assert writer.stdout.readline() == "here\n"
    # Before the commit this process hears of the mark, and reads the old state again.
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        assert place.stock() == 0
    writer.stdin.write("go on\n")
    writer.stdin.flush()
    assert writer.stdout.readline() == "here\n"
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    return place.stock(), place.count()


def test_no_stale_entry_is_left(place):
    read, right = killed_after_its_commit(place, "mark")
    assert read == right == 1
    assert place.stock.peek() is None, "the mark is still there"
    until(lambda: place.stock() == 1 and place.stock.peek() is not None)


def test_without_a_mark_there_would_be_one(place):
    read, right = killed_after_its_commit(place, "none")
    assert (read, right) == (0, 1)


def test_kills_at_any_moment(place):
    chance = random.Random(5)
    for _ in range(20):
        writer = place.writer("mark", "all")
        before = place.count()
        until(lambda before=before: place.stock() is not None and place.count() > before + 2)
        ends = time.monotonic() + chance.random() * 0.05
        while time.monotonic() < ends:
            place.stock()
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        # What memory holds may be as old as messages take; a mark lasts longer than that.
        killed, right = time.monotonic(), place.count()
        until(lambda right=right: place.stock() == right)
        assert time.monotonic() - killed < 1.5
        for _ in range(50):
            assert place.stock() == right

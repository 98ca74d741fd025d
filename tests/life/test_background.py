"""Background work at exit and over a fork."""

from __future__ import annotations

import os

import pytest

pytestmark = pytest.mark.timeout(60)

PRELUDE = """
import os, signal, sys, threading, time, warnings
from everwarm import Cache, background_stats
from everwarm._background import submit

warnings.simplefilter("ignore", DeprecationWarning)
started = threading.Event()

def hangs():
    started.set()
    threading.Event().wait(60)

def spins():
    started.set()
    while True:
        pass
"""

WAYS = {
    "work that hangs": "submit(hangs); started.wait(); print('leaving'); sys.exit(7)",
    "work that spins": "submit(spins); started.wait(); print('leaving'); sys.exit(7)",
    "more than there are threads": (
        "[submit(hangs) for _ in range(500)]; started.wait(); print('leaving'); sys.exit(7)"
    ),
    "idle threads": ("submit(started.set); started.wait(); time.sleep(0.01); print('leaving'); sys.exit(7)"),
    "work submitted at the end": (
        "import atexit; atexit.register(lambda: print(submit(hangs))); print('leaving'); sys.exit(7)"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_exit_is_in_time_and_keeps_its_code(way, script):
    for _ in range(3):
        ended = script(PRELUDE + WAYS[way]).until("leaving").end()
        assert (ended.code, ended.err) == (7, ""), ended
        assert ended.took < 2, ended


def test_the_exit_waits_a_moment_for_what_runs(script):
    ended = script(
        PRELUDE
        + """
def writes():
    started.set()
    time.sleep(0.1)
    os.write(1, b"written\\n")
submit(writes); started.wait(); print("leaving")
"""
    ).until("leaving")
    assert ended.end().out.endswith("written\n")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_begins_anew(run):
    run(
        PRELUDE
        + """
go = threading.Event()
submit(go.wait)
for _ in range(40):
    submit(hangs)
started.wait()
for _ in range(10):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            assert background_stats() == type(background_stats())(
                running=0, queued=0, tasks=0, done=0, failed=0, refused=0, dropped=0)
            done = threading.Event()
            assert submit(done.set) and done.wait(10)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
go.set()
"""
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_work_may_fork(run):
    run(
        PRELUDE
        + """
from everwarm import _background
_background._IDLE = 0.01  # the child lasts as long as its threads do
ended = threading.Event()
def forks():
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        ended.set()
        return
    signal.alarm(20)
    done = threading.Event()
    assert submit(done.set) and done.wait(10)
submit(forks)
assert ended.wait(20)
while background_stats().done == 0:
    time.sleep(0.001)
assert background_stats().failed == 0
"""
    )


def test_the_import_begins_nothing(run):
    run(
        """
import sys, threading
import everwarm
assert everwarm.background_stats().running == 0
assert "everwarm._background" not in sys.modules
assert threading.active_count() == 1
"""
    )

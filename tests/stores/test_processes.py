"""Real processes on one directory: restarts, queued writes at the end, forks, kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from everwarm import Cache


def run(code, *arguments, check=True):
    """Runs a program in a process of its own, and gives what it printed."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", ["return", "exit", "exception"])
def test_queued_writes_are_done_when_the_process_ends(tmp_path, way):
    code = """
        import sys
        from everwarm import Cache
        cache = Cache([f"disk://{sys.argv[1]}?write=behind"], namespace="shop")
        for number in range(200):
            cache.set(f"k{number}", number)
        if sys.argv[2] == "exit":
            sys.exit(3)
        if sys.argv[2] == "exception":
            raise ValueError
    """
    run(code, tmp_path / "store", way, check=False)
    found = Cache([f"disk://{tmp_path}/store"], namespace="shop").get_many([f"k{n}" for n in range(200)])
    assert found == {f"k{n}": n for n in range(200)}


def test_a_value_survives_the_kill_of_who_set_it(tmp_path):
    code = """
        import os, signal, sys
        from everwarm import Cache
        cache = Cache([f"disk://{sys.argv[1]}"], namespace="shop")
        for number in range(100):
            cache.set(f"k{number}", number)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    run(code, tmp_path / "store", check=False)
    found = Cache([f"disk://{tmp_path}/store"], namespace="shop").get_many([f"k{n}" for n in range(100)])
    assert found == {f"k{n}": n for n in range(100)}


def test_one_of_many_processes_computes(tmp_path):
    code = """
        import sys, time
        from everwarm import Cache
        cache = Cache(f"disk://{sys.argv[1]}", namespace="shop")

        @cache(name="slow")
        def slow(x: int) -> int:
            with open(sys.argv[2], "a") as log:
                log.write("computed\\n")
            time.sleep(0.3)
            return x

        print(slow(3))
    """
    log = tmp_path / "log"
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "store"), str(log)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [process.communicate(timeout=120)[0].strip() for process in processes] == ["3"] * 6
    assert log.read_text() == "computed\n"


def test_the_death_of_who_computes_hands_over(tmp_path):
    code = """
        import os, sys, time
        from everwarm import Cache
        cache = Cache(f"disk://{sys.argv[1]}", namespace="shop")

        @cache(name="slow", depends_on="nothing")
        def slow(x: int) -> int:
            print("begun", flush=True)
            time.sleep(60)

        slow(3)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "store")]
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert leader.stdout.readline() == "begun\n"
    leader.send_signal(signal.SIGKILL)
    leader.communicate()
    cache = Cache(f"disk://{tmp_path}/store", namespace="shop")

    @cache(name="slow", depends_on="nothing")
    def slow(x: int) -> int:
        return 2 * x

    begun = time.monotonic()
    assert slow(3) == 6
    assert 1 < time.monotonic() - begun < 20, "the lease ended, and with it the wait"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_has_a_stack_of_its_own(tmp_path):
    cache = Cache(f"disk://{tmp_path}/store", namespace="shop")
    number = cache(name="number")(lambda x: os.getpid())
    cache.set("before", 1)
    assert number(1) == os.getpid()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            cache.set("child", 2)
            right = cache.get("before") == 1 and number(1) == os.getppid() and number(2) == os.getpid()
            status = 0 if right and cache.incr("count") == 1 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert cache.get("child") == 2 and cache.incr("count") == 2 and number(2) == child

"""The pytest plugin: no test sees in the default cache what another has left there."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from importlib.metadata import entry_points

import pytest

pytestmark = pytest.mark.once

# Where everwarm is installed, pytest finds the plugin by itself.
PLUGIN = [] if entry_points(group="pytest11", name="everwarm") else ["-p", "everwarm_pytest"]

MODULE = """
    import everwarm
    from everwarm import cache
    import pytest

    calls = []

    @cache
    def load(key):
        calls.append(key)
        return object()

    @cache
    async def later(key):
        return object()

    def is_fresh():
        return not load.stats().calls and not cache.stats().entries and cache.get("a") is None
"""


@pytest.fixture
def run(tmp_path):
    """Runs tests of their own in a process of their own; gives how they ended, by name."""

    def run(source, *options, conftest="", plugin=True):
        (tmp_path / "test_it.py").write_text(textwrap.dedent(MODULE) + textwrap.dedent(source))
        (tmp_path / "conftest.py").write_text(textwrap.dedent(conftest))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *options]
        command += PLUGIN if plugin else ["-p", "no:everwarm"]
        done = subprocess.run(
            [*command, "test_it.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr
        lines = (line.split(maxsplit=2) for line in done.stdout.splitlines())
        return {
            words[1].partition("::")[2]: words[0]
            for words in lines
            if len(words) > 1 and words[0] in ("PASSED", "FAILED", "ERROR") and "::" in words[1]
        }

    return run


USE = """
    import asyncio

    @pytest.mark.parametrize("turn", range(3))
    def test_use(turn):
        assert is_fresh()
        calls.clear()
        assert load(1) is load(1) and calls == [1]
        assert asyncio.run(later(1)) is asyncio.run(later(1))
        cache.set("a", turn)
"""


def test_entries_and_counters_of_one_test_are_never_seen_by_another(run):
    assert list(run(USE).values()) == ["PASSED"] * 3
    assert sorted(run(USE, plugin=False).values()) == [
        "FAILED",
        "FAILED",
        "PASSED",
    ], "it is the plugin that does it"


def test_configuration_of_one_test_is_never_seen_by_another(run):
    ended = run(
        """
        @pytest.mark.parametrize("ttl", [None, 60, None, 5])
        def test_ttl(ttl):
            if ttl:
                everwarm.configure(ttl=ttl, namespace=f"n{ttl}")
            load(1)
            found = load.peek(1)
            assert found.ttl is None if ttl is None else ttl - 1 < found.ttl <= ttl
            assert found.key.startswith(f"n{ttl}:" if ttl else ":")
        """
    )
    assert list(ended.values()) == ["PASSED"] * 4


def test_what_a_conftest_configures_is_for_all(run):
    ended = run(
        """
        @pytest.mark.parametrize("ttl", [None, 60, None])
        def test_bound(ttl):
            if ttl:
                everwarm.configure(ttl=ttl)
            assert cache.max_entries == 3 and cache.describe()["ttl"].value == ttl
        """,
        conftest="import everwarm\neverwarm.configure(max_entries=3)\n",
    )
    assert list(ended.values()) == ["PASSED"] * 3


def test_the_environment_is_read_for_each_test(run):
    ended = run(
        """
        @pytest.mark.parametrize("bound", [3, 5])
        def test_bound(bound, monkeypatch):
            monkeypatch.setenv("EVERWARM_MAX_ENTRIES", str(bound))
            load(1)
            assert cache.max_entries == bound
        """
    )
    assert list(ended.values()) == ["PASSED"] * 2


def test_a_marked_test_shares(run):
    ended = run(
        """
        def test_first():
            load(1)

        @pytest.mark.everwarm_shared
        def test_second():
            assert is_fresh()
            cache.set("a", 1)

        @pytest.mark.everwarm_shared
        def test_third():
            assert cache.get("a") == 1

        def test_fourth():
            assert is_fresh()
        """,
        "--strict-markers",
    )
    assert list(ended.values()) == ["PASSED"] * 4


def test_the_clock_drives_the_default_cache(run):
    ended = run(
        """
        @pytest.mark.parametrize("turn", range(2))
        def test_expiry(everwarm_clock, turn):
            everwarm.configure(ttl="1m")
            assert everwarm_clock.now == 0
            assert load(1) is load(1)
            before = load(1)
            everwarm_clock.advance("59s")
            assert load(1) is before
            everwarm_clock.advance("1s")
            assert load(1) is not before

        def test_the_clock_is_given_back():
            assert cache.describe()["clock"].value == "system"
        """
    )
    assert list(ended.values()) == ["PASSED"] * 3


def test_pytest_starts_without_importing_everwarm(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n\ndef test_first():\n    assert 'everwarm' not in sys.modules\n\n"
        "def test_second():\n    from everwarm import configure\n    configure(ttl=3)\n\n"
        "def test_third():\n    from everwarm import cache\n"
        "    cache.get(1)\n    assert cache.policy.ttl is None\n"
    )
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:cacheprovider", "-q", "test_it.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


def test_each_promise_of_a_store_is_a_test(run):
    ended = run(
        """
        class Forgets:
            def get(self, name): return None
            def set(self, name, data, ttl): pass
            def delete(self, name): return False
            def clear(self, prefix): return 0

        def test_store(everwarm_promise):
            everwarm_promise(Forgets)
        """
    )
    assert ended["test_store[store::it_says_what_it_is]"] == "PASSED"
    assert ended["test_store[store::what_was_set_is_found]"] == "FAILED"
    assert not any("scan" in name for name in ended)


WORKERS = """
    import os
    import pathlib
    import time

    from everwarm import Cache

    WORKER = os.environ["PYTEST_XDIST_WORKER"]
    BOARD = pathlib.Path(__file__).parent

    def meet(what):
        (BOARD / f"{what}-{WORKER}").touch()
        until = time.monotonic() + 20
        while len(list(BOARD.glob(f"{what}-gw*"))) < 2:
            assert time.monotonic() < until, "there is one worker"
            time.sleep(0.01)

    @pytest.mark.parametrize("turn", range(3))
    def test_apart(everwarm_disk, turn):
        assert is_fresh()
        with Cache([everwarm_disk], namespace="shop") as disk:
            assert not list(disk.scan())
            meet(f"{turn}-empty")
            disk.set(WORKER, turn)
            cache.set(WORKER, turn)
            meet(f"{turn}-written")
            assert list(disk.scan()) == list(cache.scan()) == [WORKER]
"""

TOGETHER = """
    import pathlib

    import pytest

    @pytest.fixture
    def everwarm_disk():
        return f"disk://{pathlib.Path(__file__).parent}/store"
"""


def test_workers_of_xdist_see_nothing_of_each_other(run):
    pytest.importorskip("xdist")
    at_once = ("-n", "2", "--dist", "each")
    assert list(run(WORKERS, *at_once).values()) == ["PASSED"] * 3
    assert "FAILED" in run(WORKERS, *at_once, conftest=TOGETHER).values(), "one place for both is found out"

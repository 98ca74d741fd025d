"""No dead options: every keyword has a test that fails when it does nothing, and says so by a mark."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
from project import ROOT, script

pytestmark = pytest.mark.once

keywords = script("keywords")

STUB = """
class Options(TypedDict, total=False):
    skip: bool
    max_age: float

class Cache:
    def __init__(self, stores: str | None = None, *, max_entries: int = 3) -> None: ...
    @overload
    def set(self, key: object, /, *, ttl: float) -> None: ...
    @overload
    def set(self, key: object, /, *, tags: list[str]) -> None: ...
    def using(self, **options: Unpack[Options]) -> None: ...

def configure(*, url: str) -> None: ...
"""

TEST = """
@pytest.mark.proves("Cache.stores", "Cache.max_entries")
def test_one(): ...

@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.proves("using.skip"))])
def test_two(): ...

class TestThree:
    @pytest.mark.proves("set.ttl")
    async def test_four(self): ...

@pytest.mark.proves("Cache.max_entrys")
def test_five(): ...
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A project with a stub and a file of tests."""
    for name, text in (("python/everwarm/_cache.pyi", STUB), ("tests/life/test_a.py", TEST)):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_every_keyword_is_proved() -> None:
    assert keywords.unproved(keywords.declared(ROOT), keywords.proofs(ROOT)) == []


def test_every_mark_names_a_keyword() -> None:
    assert keywords.stray(keywords.declared(ROOT), keywords.proofs(ROOT)) == []


def test_the_keywords_are_those_of_the_classes() -> None:
    from everwarm import Cache, Policy

    declared = keywords.declared(ROOT)
    for owner in (Cache, Policy):
        assert set(declared[owner.__name__]) == set(inspect.signature(owner).parameters)


def test_keywords_are_read_from_stubs(planted: Path) -> None:
    declared = keywords.declared(planted)
    assert list(declared["Cache"]) == ["stores", "max_entries"]
    assert list(declared["set"]) == ["ttl", "tags"]
    assert list(declared["using"]) == ["skip", "max_age"]
    assert list(declared["configure"]) == ["url"]


@pytest.mark.parametrize("keyword", ["Policy.ttl", "using.skip", "set.ttl"])
def test_the_proofs_of_an_inert_keyword_fail(keyword: str) -> None:
    found = keywords.verdicts(ROOT, keywords.proofs(ROOT), keyword)
    assert set(found.values()) == {"red"}


def test_all_that_are_asked_for_are_told_of_in_one_run() -> None:
    named = ["set.ttl", "get.default"]
    command = [sys.executable, "scripts/keywords.py", "--inert", *named]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    *told, last = run.stdout.splitlines()
    assert run.returncode == 0 and {line.split()[0] for line in told} == {*named}, run.stdout + run.stderr
    assert last == f"2 keywords inert: {len(told)} proofs noticed, 0 did not"


PROOFS = """
import pytest
from everwarm import Cache

@pytest.mark.proves("set.ttl")
def test_notices():
    cache = Cache()
    cache.set("a", 1, ttl=60)
    assert cache.ttl("a") <= 60

@pytest.mark.proves("set.ttl")
@pytest.mark.parametrize("ttl", [1, 2])
def test_notices_nothing(ttl):
    Cache().set("a", 1, ttl=ttl)

@pytest.mark.proves("set.ttl")
def test_falls_over():
    cache = Cache()
    cache.set("a", 1, ttl=60)
    {60: 1}[round(cache.ttl("a"), -1)]

@pytest.mark.proves("set.tags")
def test_another(): ...
"""


def test_a_proof_that_notices_nothing_is_told_from_one_that_does(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(PROOFS)
    place = "tests/test_a.py::test_"
    assert keywords.verdicts(tmp_path, keywords.proofs(tmp_path), "set.ttl") == {
        f"{place}notices": "red",
        f"{place}notices_nothing": "GREEN",
        f"{place}falls_over": "died of KeyError",
    }


def test_what_nothing_proves_and_what_proves_nothing_is_found(planted: Path) -> None:
    declared, proofs = keywords.declared(planted), keywords.proofs(planted)
    assert proofs["Cache.stores"] == ["tests/life/test_a.py::test_one"]
    assert proofs["set.ttl"] == ["tests/life/test_a.py::test_four"]
    assert keywords.unproved(declared, proofs) == ["using.max_age", "configure.url"]
    assert keywords.stray(declared, proofs) == ["Cache.max_entrys"]

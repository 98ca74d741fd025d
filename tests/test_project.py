"""The project's own rules: dependencies, licences, names, sizes, and a map that shows what is there."""

import copy
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from project import ROOT, script

pytestmark = pytest.mark.once

MAX_CODE_LINES = 600
MAX_MAP_LINES = 200

# Words that say nothing, or that the project replaces by another.
FORBIDDEN_WORDS = frozenset(
    """manager handler orchestrator helper helpers container provider impl util utils common tools misc
    backend region loader creator evaluator resolver middleware mixin telemetry thunder""".split()
)


check = script("check_dependencies")
tally = script("tally")


@cache
def real_metadata() -> dict[str, Any]:
    metadata: dict[str, Any] = check.read_metadata(ROOT)
    return metadata


@pytest.fixture
def metadata() -> dict[str, Any]:
    """A copy of cargo's metadata to plant a fault in."""
    return copy.deepcopy(real_metadata())


def package(metadata: dict[str, Any], name: str) -> dict[str, Any]:
    return next(package for package in metadata["packages"] if package["name"] == name)


def plant(metadata: dict[str, Any], name: str, dependency: str, kind: str | None = None) -> None:
    package(metadata, name)["dependencies"].append({"name": dependency, "kind": kind})


def test_the_workspace_keeps_the_rules() -> None:
    assert check.violations(real_metadata(), ROOT) == []


@pytest.mark.parametrize(
    ("name", "dependency", "kind"),
    [
        ("everwarm-core", "everwarm-memory", None),
        ("everwarm-core", "everwarm-engine", "dev"),
        ("everwarm-memory", "everwarm-engine", None),
        ("everwarm-engine", "everwarm-python", "build"),
        ("everwarm-engine", "pyo3", None),
        ("everwarm-core", "pyo3-ffi", "dev"),
    ],
)
def test_a_dependency_against_the_direction_is_refused(
    metadata: dict[str, Any], name: str, dependency: str, kind: str | None
) -> None:
    plant(metadata, name, dependency, kind)
    assert [line for line in check.direction(metadata) if line.startswith(f"{name}: ") and dependency in line]


def test_a_crate_without_a_line_in_the_table_is_refused(metadata: dict[str, Any]) -> None:
    package(metadata, "everwarm-memory")["name"] = "everwarm-attic"
    assert any("everwarm-attic: not in the table" in line for line in check.direction(metadata))


@pytest.mark.parametrize("licence", [None, "GPL-3.0-only", "MIT AND GPL-3.0-only", "MIT OR"])
def test_a_licence_outside_the_list_is_refused(metadata: dict[str, Any], licence: str | None) -> None:
    package(metadata, "blake3")["license"] = licence
    assert [line.split()[0] for line in check.licences(metadata)] == ["blake3"]


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT OR Apache-2.0", True),
        ("MIT/Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", True),
        ("MIT OR Apache-2.0 AND GPL-3.0-only", True),
        ("(MIT OR Apache-2.0) AND GPL-3.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT WITH LLVM-exception", False),
        ("GPL-2.0-only WITH LLVM-exception", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT Apache-2.0", False),
        ("", False),
    ],
)
def test_licence_expressions_are_evaluated(expression: str, allowed: bool) -> None:
    assert check.licence_allowed(expression) is allowed


def test_a_crate_that_must_forbid_unsafe_says_so(metadata: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").write_text("//! #![forbid(unsafe_code)]\n")
    package(metadata, "everwarm-core")["manifest_path"] = str(tmp_path / "Cargo.toml")
    assert [line.split(":")[0] for line in check.unsafe_forbidden(metadata)] == ["everwarm-core"]


def test_unsafe_outside_its_files_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "crates" / "everwarm-python" / "src"
    source.mkdir(parents=True)
    (source / "call.rs").write_text("unsafe fn allowed() {}\n")
    (source / "words.rs").write_text(
        '// unsafe in a comment\n#![forbid(unsafe_code)]\nconst A: &str = "unsafe"; const B: char = \'"\';\n'
    )
    assert list(check.unsafe_used(tmp_path)) == []
    (source / "other.rs").write_text("fn f<'a>() { unsafe { g() } }\n")
    assert [line.split(":")[0] for line in check.unsafe_used(tmp_path)] == [
        "crates/everwarm-python/src/other.rs"
    ]


def test_closing_lines_are_added_up() -> None:
    output = """
     Summary [   1.234s] 12 tests run: 12 passed (1 slow), 2 skipped
   FLAKY 2/3 [   0.070s] (10/12) everwarm::cache what_is_late
test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s
____ RERUN tests/life/test_exit.py::test_signals[redis] ____
=========== 40 passed, 4 skipped, 7 deselected, 1 xfailed, 1 rerun in 3.21s ===========
== 1 failed, 2 errors in 65.00s (0:01:05) ==
"""
    assert tally.tally(output) == {"passed": 56, "skipped": 7, "failed": 3}
    assert tally.run_again(output) == [
        "everwarm::cache what_is_late",
        "tests/life/test_exit.py::test_signals[redis]",
    ]


def sources(*suffixes: str) -> list[Path]:
    """The project's own source files with one of the suffixes."""
    rooms = ("crates", "python", "tests", "scripts", "examples", "bench")
    files = (file for room in rooms for file in (ROOT / room).rglob("*"))
    return sorted(file for file in files if file.suffix in suffixes and "__pycache__" not in file.parts)


def words(name: str) -> list[str]:
    """The lower-case words of a snake, kebab or camel case name."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def type_names(file: Path) -> Iterator[str]:
    """The types that a source file declares; classes inside Python functions play the part of a user's."""
    declared = r"^\s*(?:pub(?:\([a-z]+\))? )?(?:struct|enum|trait|union) (\w+)"
    if file.suffix in (".py", ".pyi"):
        declared = r"^class (\w+)"
    yield from re.findall(declared, file.read_text(), re.MULTILINE)


def test_words_of_a_name() -> None:
    assert words("HTTPHandler") == ["http", "handler"]
    assert words("key_utils-common") == ["key", "utils", "common"]


def test_no_file_or_type_has_a_name_that_says_nothing() -> None:
    wrong = []
    for file in sources(".rs", ".py", ".pyi", ".sh"):
        place = file.relative_to(ROOT)
        if file.stem.startswith("test_async") or FORBIDDEN_WORDS.intersection(words(place.as_posix())):
            wrong.append(str(place))
        if file.suffix != ".sh":
            wrong += [
                f"{place}: {name}" for name in type_names(file) if FORBIDDEN_WORDS.intersection(words(name))
            ]
    assert wrong == []


def code_lines(file: Path) -> int:
    """Lines that are neither empty nor a comment alone."""
    lines = (line.strip() for line in file.read_text().splitlines())
    return sum(1 for line in lines if line and not line.startswith(("//", "#")))


def test_no_file_is_too_long() -> None:
    long = {str(file.relative_to(ROOT)): code_lines(file) for file in sources(".rs", ".py", ".pyi", ".sh")}
    assert {file: lines for file, lines in long.items() if lines > MAX_CODE_LINES} == {}


def test_the_map_is_short() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) < MAX_MAP_LINES


def test_every_place_on_the_map_is_there() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rooms = "crates|python|tests|docs|scripts|examples|bench"
    places = re.findall(rf"`((?:{rooms})/[^`\s]*)`", text)
    assert {place for place in places if not (ROOT / place).exists()} == set()


def test_every_crate_is_on_the_map_and_every_module_in_the_list_of_rooms() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    crates = [file.parent.relative_to(ROOT).as_posix() for file in ROOT.glob("crates/*/Cargo.toml")]
    assert [crate for crate in crates if f"`{crate}/`" not in text] == []
    rooms = script("rooms")
    assert rooms.PAGE.read_text() == rooms.page(), "hint: run `python scripts/rooms.py`"
    assert "|  |" not in rooms.page(), "each module says what it is"


def test_the_licence_policies_are_alike() -> None:
    listed = re.search(r"^allow = \[(.*?)\]", (ROOT / "deny.toml").read_text(), re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(re.findall(r'"(.*?)"', listed[1])) == check.LICENCES


@pytest.mark.parametrize("name", ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "CONTRIBUTING.md"])
def test_what_a_stranger_looks_for_is_there(name: str) -> None:
    assert (ROOT / name).read_text().strip()

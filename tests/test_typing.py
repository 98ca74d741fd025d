"""The type checkers accept what is right and refuse what is wrong, and the stubs are what is there.

A line of `tests/typing` that a checker must refuse ends in `# E: <codes of mypy> / <rules of pyright>`, where
several are joined by commas and `-` is none. Every other line must pass. Both checkers run in strict mode.
"""

import ast
import importlib.metadata
import inspect
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import everwarm
import pytest
from conftest import loud_skip

pytestmark = pytest.mark.libraries

ROOT = Path(__file__).resolve().parent.parent
CASES = ROOT / "tests" / "typing"
STUBS = sorted((ROOT / "python" / "everwarm").rglob("*.pyi"))
MYPY = "2.4.1"
PYRIGHT = "1.1.414"

# Where a checker reports what: file name, line, then the codes.
Reports = dict[tuple[str, int], set[str]]

MARK = re.compile(r"# E: (?P<mypy>[a-z, -]+?) / (?P<pyright>[A-Za-z, -]+)$")


def marked(checker: str) -> Reports:
    """What the marks in the cases say a checker must report."""
    found: Reports = {}
    for case in sorted(CASES.glob("*.py")):
        for number, line in enumerate(case.read_text().splitlines(), start=1):
            if "# E:" not in line:
                continue
            mark = MARK.search(line)
            assert mark is not None, f"{case.name}:{number}: a mark is `# E: mypy-code / pyright-rule`"
            codes = {code.strip() for code in mark[checker].split(",")} - {"-"}
            if codes:
                found[case.name, number] = codes
    return found


def needs(tool: str, version: str) -> None:
    """Skip, loudly, where a checker is not installed in the version whose codes the marks name."""
    try:
        present = importlib.metadata.version(tool)
    except importlib.metadata.PackageNotFoundError:
        present = "no version"
    if present != version:
        loud_skip(f"{tool} {version} is needed, {present} is installed: pip install {tool}=={version}")


def run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module with this interpreter."""
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def mypy(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run mypy in its strict mode, without the project's settings.

    Nothing is read from a cache: what mypy reports of `Unpack[TypedDict]` depends on whether it was.
    """
    return run("mypy", "--strict", "--config-file=", f"--cache-dir={os.devnull}", *arguments)


def pyright_errors(tmp_path: Path, paths: list[Path]) -> list[tuple[str, int, str]]:
    """What pyright's strict mode reports: file name, line, rule."""
    settings = tmp_path / "pyrightconfig.json"
    include = [os.path.relpath(path, tmp_path) for path in paths]
    settings.write_text(json.dumps({"typeCheckingMode": "strict", "include": include}))
    done = run("pyright", "--outputjson", "--pythonpath", sys.executable, "--project", str(settings))
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["summary"]["filesAnalyzed"] == len(paths), outcome["summary"]
    return [
        (Path(report["file"]).name, report["range"]["start"]["line"] + 1, report.get("rule", "syntax"))
        for report in outcome["generalDiagnostics"]
        if report["severity"] != "information"
    ]


def test_mypy_reports_the_marked_lines_and_no_other() -> None:
    needs("mypy", MYPY)
    found: Reports = defaultdict(set)
    cases = [str(case) for case in sorted(CASES.glob("*.py"))]
    done = mypy("--output=json", *cases)
    assert done.returncode == 1 and done.stdout.startswith("{"), done.stdout + done.stderr
    for line in done.stdout.splitlines():
        report = json.loads(line)
        if report["severity"] == "error":
            found[Path(report["file"]).name, report["line"]].add(report["code"])
    assert found == marked("mypy")


def test_pyright_reports_the_marked_lines_and_no_other(tmp_path: Path) -> None:
    needs("pyright", PYRIGHT)
    found: Reports = defaultdict(set)
    for case, line, rule in pyright_errors(tmp_path, sorted(CASES.glob("*.py"))):
        found[case, line].add(rule)
    assert found == marked("pyright")


def test_every_case_is_read() -> None:
    names = {case.stem.partition("_")[0] for case in CASES.glob("*.py")}
    assert names == {"accept", "refuse", "limits"}
    files_with_marks = {case for case, _ in marked("mypy") | marked("pyright")}
    assert files_with_marks == {
        case.name for case in CASES.glob("*.py") if not case.stem.startswith("accept_")
    }


def test_the_stubs_are_strict() -> None:
    needs("mypy", MYPY)
    done = mypy("--package=everwarm")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_are_strict_for_pyright(tmp_path: Path) -> None:
    needs("pyright", PYRIGHT)
    assert pyright_errors(tmp_path, STUBS) == []


def test_the_stubs_say_what_is_there() -> None:
    needs("mypy", MYPY)
    done = run("mypy.stubtest", "everwarm")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_keywords_are_those_of_a_policy() -> None:
    # stubtest leaves this out: a `TypedDict` of keywords is for checkers only.
    stub = ast.parse((ROOT / "python" / "everwarm" / "_policy.pyi").read_text())
    [keywords] = [n for n in stub.body if isinstance(n, ast.ClassDef) and n.name == "PolicyKeywords"]
    names = [ast.unparse(n.target) for n in keywords.body if isinstance(n, ast.AnnAssign)]
    assert names == list(inspect.signature(everwarm.Policy).parameters)

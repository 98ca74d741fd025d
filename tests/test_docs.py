"""What the documentation shows is run: Python blocks of Markdown files, docstring examples, and `examples/`.

The ```python blocks of one file run in order, as one program, in an interpreter of its own. A block that
opens with ```python no-run is only compiled. Line numbers in tracebacks are those of the Markdown file.
"""

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FENCE = re.compile(
    r"^(?P<indent> *)```python(?P<info>[^\n]*)\n(?P<code>.*?)^(?P=indent)```[ ]*$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """One fenced block: its code, indented to the margin, and the line of the file where it starts."""

    code: str
    line: int
    runs: bool


def blocks(text: str) -> Iterator[Block]:
    """The Python blocks of a Markdown text, in order."""
    for match in FENCE.finditer(text):
        info = match["info"].strip()
        if info not in ("", "no-run"):
            raise ValueError(f"a Python block is marked {info!r}; hint: only `no-run` has a meaning")
        line = text.count("\n", 0, match.start("code")) + 1
        yield Block(textwrap.dedent(match["code"]), line, runs=not info)


def run_file(path: str) -> None:
    """Runs the blocks of one file as the program `__main__`."""
    program = types.ModuleType("__main__")
    sys.modules["__main__"] = program
    for block in blocks(Path(path).read_text(encoding="utf-8")):
        code = compile("\n" * (block.line - 1) + block.code, path, "exec", dont_inherit=True)
        if block.runs:
            exec(code, program.__dict__)


if __name__ == "__main__":
    run_file(sys.argv[1])
    sys.exit()

import pytest  # noqa: E402 - the part above runs without pytest

pytestmark = pytest.mark.once


def documents() -> list[str]:
    """The Markdown files that have a Python block."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
    return sorted(
        file.relative_to(ROOT).as_posix() for file in found if any(blocks(file.read_text(encoding="utf-8")))
    )


def run(*command: str) -> None:
    """Runs this interpreter with a command line and expects it to succeed."""
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    if ended.returncode != 0:
        pytest.fail(
            f"{command[-1]}: exit code {ended.returncode}\n{ended.stdout}{ended.stderr}", pytrace=False
        )


@pytest.mark.parametrize("document", documents())
def test_markdown_blocks_run(document: str) -> None:
    run(str(Path(__file__)), document)


def links() -> Iterator[tuple[str, str]]:
    """Each relative link of a Markdown file, with the file."""
    for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")):
        prose = re.sub(
            r"^```.*?^```|`[^`\n]*`", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
        )
        for target in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" not in target:
                yield file.relative_to(ROOT).as_posix(), target


def headings(file: Path) -> set[str]:
    """The names by which the headings of a Markdown file are linked to."""
    titles = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in titles}


def test_links_lead_somewhere() -> None:
    lost = []
    for document, target in links():
        path, _, heading = target.partition("#")
        file = (ROOT / document).parent / path if path else ROOT / document
        if not file.exists() or (heading and heading not in headings(file)):
            lost.append(f"{document}: {target}")
    assert lost == []


def test_every_page_of_the_guide_is_listed() -> None:
    listed = {target for document, target in links() if document == "docs/README.md"}
    assert {f"guide/{page.name}" for page in ROOT.glob("docs/guide/*.md")} - listed == set()


def test_the_readme_has_examples() -> None:
    assert "README.md" in documents()


@pytest.mark.parametrize("example", sorted(file.name for file in ROOT.glob("examples/*.py")))
def test_examples_run(example: str) -> None:
    run(f"examples/{example}")


def package_modules() -> list[str]:
    """Every module of the package, the native one included."""
    import everwarm

    return ["everwarm", *(module.name for module in pkgutil.walk_packages(everwarm.__path__, "everwarm."))]


@pytest.mark.parametrize("name", package_modules())
def test_docstring_examples_run(name: str) -> None:
    module = importlib.import_module(name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for case in finder.find(module, name):
        runner.run(case, out=report.append)
    assert runner.failures == 0, "".join(report)


def failing_document(directory: Path, text: str) -> str:
    """The output of a document that must not run to its end."""
    file = directory / "page.md"
    file.write_text(text)
    ended = subprocess.run([sys.executable, __file__, str(file)], capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    return ended.stderr


def test_a_failing_block_is_reported_with_the_line_of_the_document(tmp_path: Path) -> None:
    text = "# Page\n\n```python\nx = 1\n```\n\nwords\n\n```python\nassert x == 1\nassert x == 2\n```\n"
    assert f'page.md", line {text.count(chr(10), 0, text.index("assert x == 2")) + 1}' in failing_document(
        tmp_path, text
    )


def test_a_block_that_does_not_run_must_still_compile(tmp_path: Path) -> None:
    run_once = tmp_path / "good.md"
    run_once.write_text("```python no-run\nraise SystemExit(3)\n```\n")
    run(str(Path(__file__)), str(run_once))
    assert "SyntaxError" in failing_document(tmp_path, "```python no-run\nx = = 1\n```\n")


def test_blocks_in_lists_are_found() -> None:
    found = list(blocks("- point\n\n  ```python\n  if True:\n      y = 2\n  ```\n"))
    assert found == [Block("if True:\n    y = 2\n", 4, runs=True)]


def test_an_unknown_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="no-run"):
        list(blocks("```python norun\nx\n```\n"))

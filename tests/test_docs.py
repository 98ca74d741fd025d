"""What the documentation shows is run: Python blocks of Markdown files, docstring examples, and `examples/`.

The ```python blocks of one file run in order, as one program, in an interpreter of its own. A block that
opens with ```python no-run is only compiled. Line numbers in tracebacks are those of the Markdown file.
"""

import doctest
import importlib
import os
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
from project import script  # noqa: E402
from servers import needed  # noqa: E402

reference = script("reference")

pytestmark = pytest.mark.once


def documents() -> list[str]:
    """The Markdown files that have a Python block."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
    return sorted(
        file.relative_to(ROOT).as_posix() for file in found if any(blocks(file.read_text(encoding="utf-8")))
    )


# Pages and examples that need a server: the variable that says where it is, and the one that they read.
NEEDS = dict.fromkeys(("docs/guide/redis.md", "examples/together.py"), ("EVERWARM_TEST_REDIS", "REDIS_URL"))
NEEDS["docs/guide/memcached.md"] = ("EVERWARM_TEST_MEMCACHED_SEVERAL", "MEMCACHED_URL")
NEEDS["docs/guide/mysql.md"] = ("EVERWARM_TEST_MARIADB", "DATABASE_URL")
NEEDS["docs/guide/postgresql.md"] = ("EVERWARM_TEST_POSTGRES", "DATABASE_URL")
NEEDS["docs/guide/dynamodb.md"] = ("EVERWARM_TEST_DYNAMODB", "DYNAMODB_URL")
NEEDS["docs/guide/objects.md"] = ("EVERWARM_TEST_S3", "BUCKET_URL")
NEEDS["docs/guide/mongodb.md"] = ("EVERWARM_TEST_MONGODB", "MONGODB_URL")


def environment(document: str) -> dict[str, str]:
    """What the examples of a page run in; without the server that they need, the test is left out."""
    if document not in NEEDS:
        return dict(os.environ)
    told, read = NEEDS[document]
    return {**os.environ, read: needed(told)}


def run(*command: str, env: dict[str, str] | None = None) -> None:
    """Runs this interpreter with a command line and expects it to succeed."""
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=env,
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
    run(str(Path(__file__)), document, env=environment(document))


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


def test_every_page_is_listed() -> None:
    listed = {target for document, target in links() if document == "docs/README.md"}
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}
    assert {page for page in pages if not page.startswith("decisions/")} - listed == {"README.md"}


DECISIONS = [file.name[:4] for file in sorted(ROOT.glob("docs/decisions/*.md"))]


def numbered(cell: str) -> list[str]:
    """The decisions that a line of the list names: `0001, 0002`, or all from one to another."""
    ends = cell.split(" to ")
    return [one for one in DECISIONS if ends[0] <= one <= ends[1]] if len(ends) == 2 else cell.split(", ")


def test_every_decision_is_listed_once_and_in_order() -> None:
    text = (ROOT / "docs/README.md").read_text(encoding="utf-8").partition("## Decisions")[2]
    cells = re.findall(r"^\| (\d{4}.*?) \| ", text, re.MULTILINE)
    assert {end for cell in cells for end in re.findall(r"\d+", cell)} <= set(DECISIONS)
    assert [one for cell in cells for one in numbered(cell)] == DECISIONS


# The page of each store, and where its parser names the options; those of a tier have a page of their own.
STORES = {
    "disk": ["disk/src/config.rs"],
    "dynamodb": ["dynamodb/src/config.rs"],
    "file": ["file/src/config.rs"],
    "http": ["http/src/config.rs"],
    "memcached": ["memcached/src/config.rs"],
    "mongodb": ["mongodb/src/config.rs"],
    "mysql": ["sql/src/server/config.rs", "Mysql"],
    "objects": ["object/src/config.rs"],
    "postgresql": ["sql/src/server/config.rs", "Postgres"],
    "redis": ["redis/src/config.rs"],
    "sqlite": ["sql/src/sqlite/config.rs"],
}
# What the benchmark calls the stores whose pages have other names.
COSTED = {"mysql": "mariadb", "objects": "s3", "postgresql": "postgres"}


def parsed(source: str, kind: str = "") -> set[str]:
    """The options that the URLs of a store may have, as its parser lists them."""
    text = (ROOT / f"crates/everwarm-store-{source}").read_text(encoding="utf-8")
    [listed] = re.findall(r"^const OPTIONS: \[&str; \d+\] = \[(.*?)\];", text, re.MULTILINE | re.DOTALL)
    of_kind = re.findall(rf"Self::{kind} => &\[(.*?)\]", text) if kind else []
    assert len(of_kind) == bool(kind)
    return set(re.findall(r'"(.*?)"', "".join([listed, ",", *of_kind])))


@pytest.mark.parametrize("page", STORES)
def test_a_page_of_a_store_names_the_options_that_there_are(page: str) -> None:
    text = (ROOT / f"docs/guide/{page}.md").read_text(encoding="utf-8")
    table = re.search(r"^\| option \| means \| default \|\n\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert table is not None, "hint: begin the table of options with `| option | means | default |`"
    named = {name for row in table[1].splitlines() for name in re.findall(r"`(.*?)`", row.split("|")[1])}
    options = parsed(*STORES[page])
    assert named - options == set(), "options that do not exist"
    besides = set(re.findall(r"[?&`]([\w-]+)=", "".join(re.findall(r"^\|.*", text, re.MULTILINE))))
    assert options - named - besides == set(), "options that no table of the page names"


@pytest.mark.parametrize("page", STORES)
def test_a_page_of_a_store_says_when_what_it_keeps_what_it_costs_and_how_it_fails(page: str) -> None:
    text = (ROOT / f"docs/guide/{page}.md").read_text(encoding="utf-8")
    assert "\n**When to use it.** " in text
    for heading in ("What it keeps", "What it costs", "How it fails"):
        assert re.search(rf"^## {heading}\b", text, re.MULTILINE), heading
    assert f"bench/costs.py {COSTED.get(page, page)}` measures them" in text.replace("\n", " ")


def first_paragraph(text: str) -> str:
    """What stands between the title of a page and whatever comes next."""
    return text.split("\n\n")[1] if text.startswith("# ") and text.count("\n\n") else ""


def sentences(paragraph: str) -> int:
    """How many sentences end in a paragraph; dots in code do not count."""
    prose = re.sub(r"`[^`]*`", "code", paragraph)
    return len(re.findall(r"[.!?](?=\s|$)", prose))


@pytest.mark.parametrize("page", sorted(file.name for file in ROOT.glob("docs/guide/*.md")))
def test_a_page_of_the_guide_begins_with_what_it_is_and_shows_it(page: str) -> None:
    text = (ROOT / "docs" / "guide" / page).read_text(encoding="utf-8")
    opening = first_paragraph(text)
    assert re.match(r"[A-Z`]", opening), f"{page}: a title, then a paragraph; hint: begin with `# Title`"
    assert 1 <= sentences(opening) <= 3, f"{page}: the first paragraph has one to three sentences"
    by_cargo = f"docs/guide/{page}" in (ROOT / "crates/everwarm/src/lib.rs").read_text(encoding="utf-8")
    runs = by_cargo or any(block.runs and "\n" in block.code for block in blocks(text))
    assert runs, f"{page}: an example that runs"


def test_sentences_are_counted() -> None:
    assert sentences("One `a.b. c` here. Two, e.g this!\nThree?") == 3
    assert first_paragraph("# Title\n\nWords.\n\nMore.") == "Words."


def test_every_error_has_a_heading_of_its_own() -> None:
    import everwarm

    public = (getattr(everwarm, name) for name in everwarm.__all__)
    errors = {kind.__name__ for kind in public if isinstance(kind, type) and issubclass(kind, everwarm.Error)}
    page = (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8")
    assert errors - {"Error"} == set(re.findall(r"^## ([A-Z]\w+)$", page, re.MULTILINE))


def said_in_the_sources() -> str:
    """All sources as one text, in which a message that spans several lines stands in one piece."""
    files = [*ROOT.glob("python/everwarm/**/*.py"), *ROOT.glob("crates/*/src/**/*.rs")]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    return re.sub(r'\\\n\s*|"\s*\n\s*f?"', "", text)


def test_the_messages_of_the_errors_page_are_those_of_the_sources() -> None:
    page = (ROOT / "docs/guide/errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!message|class)(.*?) \|", page, re.MULTILINE)
    messages = [
        message for row in rows if "](#" not in row for message in re.findall(r"`([^`]*…?[^`]*)`", row)
    ]
    parts = [part.strip() for message in messages for part in message.split("…")]
    sources = said_in_the_sources()
    assert len(parts) > 40
    assert [part for part in parts if part not in sources and part != "TypeError"] == []


def test_the_reference_is_current() -> None:
    assert reference.main("--check") == 0, "hint: run `python scripts/reference.py`"


def planted(root: Path, stub: str, source: str) -> Path:
    """A package with one module."""
    package = root / "python" / "everwarm"
    package.mkdir(parents=True)
    (package / "__init__.pyi").write_text("from everwarm._one import One as One\n__all__ = ['One']\n")
    (package / "__init__.py").write_text("")
    (package / "_one.pyi").write_text(stub)
    (package / "_one.py").write_text(source)
    return root


def test_the_reference_joins_stubs_and_docstrings(tmp_path: Path) -> None:
    stub = """
_Size: TypeAlias = int | str
class One(_Base):
    def __init__(self, a: int = 1, /, b=2, *, c: _Size, **d: str) -> None: ...
    @property
    def size(self) -> int: ...
    def get(self) -> int: ...
    async def aget(self) -> int: ...
    def _hidden(self) -> int: ...
"""
    source = 'class One:\n    """A ``one``.\n\n    >>> 1\n    1\n    """\n    def get(self): "Gets."\n'
    page = reference.page(planted(tmp_path, stub, source))
    for part in (
        "class One:\n    def __init__(self, a: int = 1, /, b=2, *, c: _Size, **d: str) -> None: ...",
        "A `one`.\n\n```pycon\n>>> 1\n1\n```",
        "size: int\n",
        "Gets.",
        "`get`, awaited.",
        "_Size = int | str",
    ):
        assert part in page
    assert "hidden" not in page


def test_the_reference_follows_private_bases_into_the_native_module(tmp_path: Path) -> None:
    stub = "from everwarm import _native\n\nclass One(_native.Two):\n    def aget(self) -> int: ...\n"
    root = planted(tmp_path, stub, 'class One(_native.Two):\n    "One."\n')
    native = "class Two:\n    def get(self) -> int: ...\n    def put(self) -> None: ...\n"
    (root / "python/everwarm/_native.pyi").write_text(native)
    rust = root / "crates/one/src/two.rs"
    rust.parent.mkdir(parents=True)
    rust.write_text(
        'const GET: &CStr = c"get($self)\\n--\\n\\nGets it.";\n'.replace("\\n", "\n")
        + "#[pymethods]\nimpl Two {\n    /// Puts it.\n    #[pyo3()]\n    fn put(&self) {}\n}\n"
    )
    page = reference.page(root)
    for heading, text in (("One.get", "Gets it."), ("One.put", "Puts it."), ("One.aget", "`get`, awaited.")):
        assert re.search(rf"#### `{heading}`\n\n```[^`]*```\n\n{re.escape(text)}", page), heading


def test_the_reference_wants_a_docstring(tmp_path: Path) -> None:
    root = planted(tmp_path, "class One:\n    def get(self) -> int: ...\n", 'class One:\n    "One."\n')
    with pytest.raises(reference.Undocumented, match="One.get"):
        reference.page(root)


def test_the_readme_has_examples() -> None:
    assert "README.md" in documents()


@pytest.mark.parametrize("example", sorted(file.name for file in ROOT.glob("examples/*.py")))
def test_examples_run(example: str) -> None:
    run(f"examples/{example}", env=environment(f"examples/{example}"))


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

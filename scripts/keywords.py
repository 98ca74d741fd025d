"""Prints which test proves each keyword: the test that fails when the keyword does nothing.

A test says so itself, with `@pytest.mark.proves("Cache.max_entries")`. What there is to prove is read from
the stubs: the keywords of `OWNERS`. A mark may also name a keyword of any other function or method, such as
`set.ttl`.

`python scripts/keywords.py --inert` runs the proofs of every keyword while it does nothing, by the plugin
`tests/inert.py`, and fails if one of them does not notice; further arguments name the keywords. The
interpreter needs what the tests need.
"""

import ast
import io
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent

# Classes stand for their `__init__`. Every keyword of these needs a proof.
OWNERS = ("Cache", "Policy", "using", "configure")

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Keywords = dict[str, dict[str, None]]
"""The keywords of each owner, in the order of their declaration."""


def declared(root: Path) -> Keywords:
    """The keywords of every class, function and method that the stubs declare."""
    trees = [ast.parse(file.read_text()) for file in sorted(root.glob("python/everwarm/**/*.pyi"))]
    classes = {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    found: Keywords = {}
    for tree in trees:
        for owner, definition in _definitions(tree):
            found.setdefault(owner, {}).update(dict.fromkeys(_keywords(definition, classes)))
    return found


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Each function and method with its name; `__init__` by the name of its class."""
    rooms = [("", tree.body), *((c.name, c.body) for c in ast.walk(tree) if isinstance(c, ast.ClassDef))]
    for name, body in rooms:
        for member in body:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield name if member.name == "__init__" else member.name, member


def _keywords(definition: Definition, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    """What may be passed by name; `**options: Unpack[Options]` stands for the fields of `Options`."""
    arguments = definition.args
    yield from (a.arg for a in (*arguments.args, *arguments.kwonlyargs) if a.arg not in ("self", "cls"))
    annotation = arguments.kwarg and arguments.kwarg.annotation
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value).endswith("Unpack"):
        yield from _fields(ast.unparse(annotation.slice), classes)


def _fields(name: str, classes: dict[str, ast.ClassDef]) -> Iterator[str]:
    """The annotated names of a class and of those it is made from."""
    if name in classes:
        for base in classes[name].bases:
            yield from _fields(ast.unparse(base), classes)
        for node in classes[name].body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id


def proofs(root: Path) -> dict[str, list[str]]:
    """The tests that carry a mark, by what they prove."""
    found: dict[str, list[str]] = {}
    for file in sorted(root.glob("tests/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                place = f"{file.relative_to(root).as_posix()}::{node.name}"
                for proved in _marks(node):
                    found.setdefault(proved, []).append(place)
    return found


def _marks(node: Definition | ast.ClassDef) -> Iterator[str]:
    """What the decorators of a test say that it proves."""
    for decorator in node.decorator_list:
        for call in ast.walk(decorator):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.proves":
                yield from (str(ast.literal_eval(argument)) for argument in call.args)


def unproved(keywords: Keywords, proved: dict[str, list[str]]) -> list[str]:
    """The keywords of `OWNERS` that no test proves."""
    wanted = [f"{owner}.{keyword}" for owner in OWNERS for keyword in keywords.get(owner, ())]
    return [keyword for keyword in wanted if keyword not in proved]


def stray(keywords: Keywords, proved: dict[str, list[str]]) -> list[str]:
    """Marks that name what is not there."""
    known = {f"{owner}.{keyword}" for owner in keywords for keyword in keywords[owner]}
    return sorted(proved.keys() - known)


def verdicts(root: Path, proved: dict[str, list[str]], keyword: str) -> dict[str, str]:
    """What each proof of a keyword does while it is inert: `red`, `GREEN`, or `died of` some error."""
    path = os.pathsep.join(filter(None, (str(ROOT / "tests"), os.environ.get("PYTHONPATH"))))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *_options(proved, keyword)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    return _said(proved, keyword, run.stdout + run.stderr)


def _options(proved: dict[str, list[str]], keyword: str) -> list[str]:
    """What pytest is told to run the proofs of a keyword while it is inert."""
    files = sorted({place.partition("::")[0] for place in proved[keyword]})
    return [
        "-q",
        "--no-header",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        "-p",
        "inert",
        "--inert",
        keyword,
        *files,
    ]


def _said(proved: dict[str, list[str]], keyword: str, output: str) -> dict[str, str]:
    """The verdicts in the output of a run; ends this one if a proof did not run."""
    said = f"inert {keyword}: "
    lines = [line.removeprefix(said) for line in output.splitlines() if line.startswith(said)]
    found = {test: verdict for verdict, _, test in (line.rpartition(" ") for line in lines)}
    if set(found) != set(proved[keyword]):
        raise SystemExit(f"error: the proofs of {keyword} did not run\n{output}")
    return found


def _all_verdicts(
    root: Path, proved: dict[str, list[str]], names: list[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each of the keywords with its verdicts, in the order in which they come.

    Each has a child of this process to itself, in which pytest and its plugins are there already: most of a
    run would be spent on importing them. Test modules are imported in the children alone.
    """
    import pytest

    os.chdir(root)
    sys.path.insert(0, str(ROOT / "tests"))
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        pytest.main(["--version", "--version"])
    left, running = list(reversed(names)), dict[int, str]()
    with TemporaryDirectory() as outputs:
        while left or running:
            while left and len(running) < (os.cpu_count() or 1):
                keyword = left.pop()
                child = os.fork()
                if child == 0:
                    _run(Path(outputs, keyword), _options(proved, keyword))
                running[child] = keyword
            ended, _ = os.wait()
            keyword = running.pop(ended)
            yield keyword, _said(proved, keyword, Path(outputs, keyword).read_text())


def _run(output: Path, options: list[str]) -> NoReturn:
    """Runs pytest in this child, which then ends."""
    import pytest

    file = os.open(output, os.O_CREAT | os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        # Directories of their own: who numbers his in one place with others may take theirs away.
        pytest.main([*options, f"--basetemp={output}.directories"])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what it said is the verdict


def run_inert(root: Path, names: list[str]) -> int:
    """Prints the verdict on every keyword; fails if a proof is not red."""
    proved = proofs(root)
    lost = [name for name in names if name not in proved]
    if lost:
        print(f"error: nothing proves {', '.join(lost)}; hint: write `Owner.keyword`", file=sys.stderr)
        return 1
    names = names or sorted(proved)
    noticed = failed = 0
    for name, found in _all_verdicts(root, proved, names):
        for test, verdict in found.items():
            print(f"{name:28} {verdict:28} {test}", flush=True)
            noticed += verdict == "red"
            failed += verdict != "red"
    print(f"{len(names)} keywords inert: {noticed} proofs noticed, {failed} did not")
    return int(failed > 0)


def main(arguments: list[str]) -> int:
    """Prints the table; fails if a keyword has no proof or a mark no keyword."""
    if arguments[:1] == ["--inert"]:
        return run_inert(ROOT, arguments[1:])
    keywords, proved = declared(ROOT), proofs(ROOT)
    missing, lost = unproved(keywords, proved), stray(keywords, proved)
    for name in (*proved, *missing):
        print(f"{name:28} {', '.join(proved.get(name, ['NO PROOF']))}")
    for name in lost:
        print(f"error: no keyword {name}, but a mark; hint: write `Owner.keyword`", file=sys.stderr)
    return 1 if missing or lost else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Prints which test proves each keyword: the test that fails when the keyword does nothing.

A test says so itself, with `@pytest.mark.proves("Cache.max_entries")`. What there is to prove is read from
the stubs: the keywords of `OWNERS`. A mark may also name a keyword of any other function or method, such as
`set.ttl`.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

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


def main() -> int:
    """Prints the table; fails if a keyword has no proof or a mark no keyword."""
    keywords, proved = declared(ROOT), proofs(ROOT)
    missing, lost = unproved(keywords, proved), stray(keywords, proved)
    for name in (*proved, *missing):
        print(f"{name:28} {', '.join(proved.get(name, ['NO PROOF']))}")
    for name in lost:
        print(f"error: no keyword {name}, but a mark; hint: write `Owner.keyword`", file=sys.stderr)
    return 1 if missing or lost else 0


if __name__ == "__main__":
    sys.exit(main())

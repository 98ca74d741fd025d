"""Writes docs/reference/api.md: every public name with its signature from the stub and its docstring.

`python scripts/reference.py` writes the file, with `--check` it says whether the file is current. Nothing is
imported: stubs and modules are parsed, and for native classes the comments of the Rust source.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs/reference/api.md")
WIDTH = 100

HEAD = """# Public names

Signatures are those of the stubs, texts those of the docstrings, whose examples are tests.
`scripts/reference.py` writes this page; the [guide](../README.md#guide) explains.
"""

# Of the methods with two underscores, what users write.
SPOKEN = ("__call__", "__contains__", "__iter__", "__len__", "__enter__", "__aenter__")

# What the package itself calls.
INNER = ("attach", "detach")

Definition = ast.FunctionDef | ast.AsyncFunctionDef


class Undocumented(Exception):
    """A public name has no docstring."""


@dataclass(frozen=True)
class Module:
    """A module as its stub and its source show it."""

    stub: ast.Module
    source: ast.Module | None

    @classmethod
    def read(cls, root: Path, name: str) -> "Module":
        """The module of a dotted name, or the package of that name."""
        path = root / "python" / name.replace(".", "/")
        path = path / "__init__" if path.is_dir() else path
        stub, source = path.with_suffix(".pyi"), path.with_suffix(".py")
        parsed = ast.parse(source.read_text(encoding="utf-8")) if source.exists() else None
        return cls(ast.parse(stub.read_text(encoding="utf-8")), parsed)

    def public(self) -> list[str]:
        """What `__all__` of the stub lists."""
        for node in self.stub.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return [str(name) for name in ast.literal_eval(node.value)]
        return []

    def class_text(self, name: str) -> str | None:
        """The docstring of a class: where it is made of Python, of its source."""
        body = self.source.body if self.source else self.stub.body
        found = _class(body, name)
        return _text([found]) if found else None

    def origin(self, name: str) -> str | None:
        """The module that the stub imports a name from."""
        for node in self.stub.body:
            if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
                return node.module
        return None


def public_modules(root: Path) -> list[str]:
    """The package and its modules whose names have no underscore in front."""
    package = root / "python" / "everwarm"
    names = [file.relative_to(package).with_suffix("") for file in sorted(package.rglob("*.pyi"))]
    paths = [[part for part in name.parts if part != "__init__"] for name in names]
    return [".".join(["everwarm", *path]) for path in sorted(paths) if not "".join(path).startswith("_")]


def page(root: Path) -> str:
    """The whole page."""
    parts = [HEAD]
    for name in public_modules(root):
        module = Module.read(root, name)
        if module.public():
            parts.append(f"## `{name}`")
        for public in module.public():
            origin = module.origin(public)
            home = Module.read(root, origin) if origin else module
            parts += _entry(root, public, home)
    aliases = list(_aliases(root, "\n".join(parts)))
    if aliases:
        parts += ["## Names in signatures", "Stubs alone have these.", _block(aliases)]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _aliases(root: Path, text: str) -> Iterator[str]:
    """The private names for types that occur in the text, with what they stand for."""
    meant: dict[str, str] = {}
    for file in sorted(root.glob("python/everwarm/**/*.pyi")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.AnnAssign) and node.value and ast.unparse(node.annotation) == "TypeAlias":
                meant.setdefault(ast.unparse(node.target), ast.unparse(node.value))
    yield from (f"{name} = {meant[name]}" for name in sorted(meant) if re.search(rf"\b{name}\b", text))


def _functions(body: list[ast.stmt], name: str) -> list[Definition]:
    """The definitions of a function: several where it is overloaded."""
    functions = (node for node in body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return [node for node in functions if node.name == name]


def _class(body: list[ast.stmt], name: str) -> ast.ClassDef | None:
    """The definition of a class, if the name is one's."""
    return next((node for node in body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _entry(root: Path, name: str, module: Module) -> Iterator[str]:
    """What the page says of one public name."""
    yield f"### `{name}`"
    if declared := _class(module.stub.body, name):
        yield from _class_entry(root, declared, module)
    elif overloads := _functions(module.stub.body, name):
        yield _block([_signature(node) for node in overloads])
        yield _markdown(name, _text(_functions(module.source.body, name)) if module.source else None)
    else:
        annotated = (node for node in module.stub.body if isinstance(node, ast.AnnAssign))
        found = next(node for node in annotated if ast.unparse(node.target) == name)
        yield _block([f"{name}: {ast.unparse(found.annotation)}"])


def _class_entry(root: Path, declared: ast.ClassDef, module: Module) -> Iterator[str]:
    """A class: how it is made, its docstring, its attributes, its methods with those of private bases."""
    bases = [base for base in map(ast.unparse, declared.bases) if not base.startswith("_")]
    head = f"class {declared.name}({', '.join(bases)}):" if bases else f"class {declared.name}:"
    made = [_indented(_signature(node)) for node in _functions(declared.body, "__init__")]
    yield _block([head, *made] if made else [f"{head} ..."])
    yield _markdown(declared.name, module.class_text(declared.name))
    if attributes := list(_attributes(declared)):
        yield _block(attributes)
    found: dict[str, tuple[ast.ClassDef, Module]] = {}
    for base, home in _line(root, declared, module):
        for method in _methods(base):
            found.setdefault(method, (base, home))
    for method, (base, home) in found.items():
        yield f"#### `{declared.name}.{method}`"
        yield _block([_signature(node) for node in _functions(base.body, method)])
        text = _method_text(root, base, home, method)
        if text is None and method[0] == "a" and method[1:] in found:
            text = f"`{method[1:]}`, awaited."
        yield "" if text is None and method in SPOKEN else _markdown(f"{declared.name}.{method}", text)


def _line(root: Path, declared: ast.ClassDef, module: Module) -> Iterator[tuple[ast.ClassDef, Module]]:
    """A class and the bases that it has from private modules, each with its module."""
    yield declared, module
    for written in map(ast.unparse, declared.bases):
        place, _, name = written.rpartition(".")
        origin = f"{module.origin(place)}.{place}" if place else module.origin(name)
        home = Module.read(root, origin) if origin and "._" in origin else module
        if base := _class(home.stub.body, name):
            yield from _line(root, base, home)


def _attributes(declared: ast.ClassDef) -> Iterator[str]:
    """Annotated names and properties, as `name: type`."""
    for node in declared.body:
        if isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_"):
            yield f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"
        elif isinstance(node, ast.FunctionDef) and _is_property(node) and not node.name.startswith("_"):
            yield f"{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}"


def _methods(declared: ast.ClassDef) -> list[str]:
    """The names of the methods that users call, in the order of the stub."""
    names = [
        node.name
        for node in declared.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _is_property(node)
    ]
    shown = [name for name in names if not name.startswith("_") or name in SPOKEN]
    return [name for name in dict.fromkeys(shown) if name not in INNER]


def _is_property(node: Definition) -> bool:
    return any(ast.unparse(decorator) == "property" for decorator in node.decorator_list)


def _method_text(root: Path, base: ast.ClassDef, home: Module, method: str) -> str | None:
    """The docstring of a method, if it has one."""
    made = _class(home.source.body, base.name) if home.source else None
    return _text(_functions(made.body, method)) if made else _native_text(root, base.name, method)


def _native_text(root: Path, owner: str, method: str) -> str | None:
    """What the Rust source says of a native class's method: its comment, or its text for the interpreter."""
    sources = [file.read_text(encoding="utf-8") for file in sorted(root.glob("crates/*/src/**/*.rs"))]
    spoken = re.compile(rf'c"{method}\(\$self.*?\n--\n\n(.*?)";', re.DOTALL)
    methods = re.compile(rf"^#\[pymethods\]\nimpl {owner} {{\n.*?^}}", re.MULTILINE | re.DOTALL)
    comment = re.compile(
        rf"((?:^ *///.*\n)+)(?: *#\[.*\n)* *(?:pub(?:\(\w+\))? )?fn {method}\b", re.MULTILINE
    )
    for source in sources:
        if found := spoken.search(source):
            return found[1].replace('\\"', '"')
        for block in methods.findall(source):
            if found := comment.search(block):
                return re.sub(r"^ *///( |$)", "", found[1], flags=re.MULTILINE)
    return None


def _signature(node: Definition) -> str:
    """A signature on one line, or on one line for each parameter."""
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    shown = ("contextmanager", "asynccontextmanager", "classmethod", "staticmethod")
    marks = [f"@{ast.unparse(mark)}\n" for mark in node.decorator_list if ast.unparse(mark) in shown]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    parameters = list(_parameters(node.args))
    line = f"{word} {node.name}({', '.join(parameters)}){returns}: ..."
    if len(line) > WIDTH:
        listed = "".join(f"    {parameter},\n" for parameter in parameters)
        line = f"{word} {node.name}(\n{listed}){returns}: ..."
    return "".join(marks) + line


def _parameters(arguments: ast.arguments) -> Iterator[str]:
    """Each parameter as it is written, with the signs that stand between them."""
    by_place = [*arguments.posonlyargs, *arguments.args]
    without = len(by_place) - len(arguments.defaults)
    for at, argument in enumerate(by_place):
        yield _parameter(argument, arguments.defaults[at - without] if at >= without else None)
        if at + 1 == len(arguments.posonlyargs):
            yield "/"
    if arguments.vararg or arguments.kwonlyargs:
        yield "*" + (ast.unparse(arguments.vararg) if arguments.vararg else "")
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _parameter(argument, default)
    if arguments.kwarg:
        yield "**" + ast.unparse(arguments.kwarg)


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    """One parameter, with its annotation and default."""
    if default is None:
        return ast.unparse(argument)
    return f"{ast.unparse(argument)}{' = ' if argument.annotation else '='}{ast.unparse(default)}"


def _indented(signature: str) -> str:
    return "\n".join(f"    {line}" for line in signature.splitlines())


def _block(lines: list[str]) -> str:
    """Signatures as a block that is compiled by the tests and not run."""
    return "```python no-run\n" + "\n".join(lines) + "\n```"


def _text(defined: Sequence[Definition | ast.ClassDef]) -> str | None:
    """The docstring of a name, if it has one."""
    return next((found for node in defined if (found := ast.get_docstring(node))), None)


def _markdown(name: str, text: str | None) -> str:
    """A docstring as Markdown: examples fenced, code in single quotation marks."""
    if text is None:
        raise Undocumented(f"{name} has no docstring\nhint: write one in the module beside the stub")
    text = re.sub(r"``(.*?)``", r"`\1`", inspect.cleandoc(text), flags=re.DOTALL)
    example = re.compile(r"^>>> .*?(?=\n\n(?!>>> )|\Z)", re.MULTILINE | re.DOTALL)
    return example.sub(lambda match: f"```pycon\n{match[0].rstrip()}\n```", text)


def main(*words: str) -> int:
    """Writes the page, or with `--check` compares it."""
    text = page(ROOT)
    if "--check" not in words:
        (ROOT / PAGE).write_text(text, encoding="utf-8")
        print(f"{PAGE}: {text.count('### ')} names")
        return 0
    if (ROOT / PAGE).exists() and (ROOT / PAGE).read_text(encoding="utf-8") == text:
        print(f"{PAGE} is current")
        return 0
    print(f"error: {PAGE} is out of date\nhint: run `python scripts/reference.py`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Writes docs/reference/rooms.md: each module of every crate, with the first sentence of its own text.

``python scripts/rooms.py`` writes it, ``--check`` says whether it is up to date.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/reference/rooms.md"

# From what decides to what is used.
ORDER = (
    *("core", "memory", "codec", "layers", "store-disk", "store-file", "engine", "tiers", "conformance"),
    *("simulator", "nodes", "model", "macros"),
)

HEAD = """# The rooms, module by module

Written by `scripts/rooms.py` from the first sentence of each module. The map is
[ARCHITECTURE.md](../../ARCHITECTURE.md).
"""


def crates() -> list[Path]:
    """The folders of the crates, in the order in which they are read."""
    folders = [file.parent for file in ROOT.glob("crates/*/Cargo.toml")]

    def place(folder: Path) -> tuple[int, str]:
        short = folder.name.removeprefix("everwarm-")
        return (ORDER.index(short) if short in ORDER else len(ORDER), folder.name)

    return sorted(folders, key=place)


def modules(folder: Path) -> Iterator[tuple[str, Path]]:
    """The modules right in a folder, by name; one that is a folder is its `mod.rs` or `__init__.py`."""
    for file in sorted(folder.glob("*")):
        inner = next((file / name for name in ("mod.rs", "__init__.py") if (file / name).exists()), None)
        if inner is not None:
            yield file.name, inner
        elif file.suffix in (".rs", ".py") and file.stem not in ("lib", "mod", "__init__"):
            yield file.stem, file


def first_sentence(file: Path) -> str:
    """The first sentence of a module's own text, without its full stop."""
    text = file.read_text()
    if file.suffix == ".rs":
        lines = (line[3:].strip() for line in text.splitlines() if line.startswith("//!"))
        said = " ".join(lines)
    else:
        match = re.match(r'\s*"""(.*?)"""', text, re.DOTALL)
        said = " ".join(match[1].split()) if match else ""
    sentence = re.split(r"(?<=[.!?])\s", said, maxsplit=1)[0].rstrip(".")
    return sentence.replace("|", "\\|").replace("``", "`")


def section(name: str, what: str, folder: Path) -> str:
    rows = [f"| `{module}` | {first_sentence(file)} |" for module, file in modules(folder)]
    return "\n".join([f"## `{name}`: {what}", "", "| module | what it is |", "|---|---|", *rows, ""])


def page() -> str:
    sections = []
    for crate in crates():
        package = tomllib.loads((crate / "Cargo.toml").read_text())["package"]
        what = package["description"].rstrip(".").removeprefix("Everwarm's ")
        sections.append(section(crate.name, what, crate / "src"))
    sections.append(section("python/everwarm", "what users import", ROOT / "python/everwarm"))
    return "\n".join([HEAD, *sections])


def main() -> int:
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == page():
            return 0
        print("docs/reference/rooms.md is not up to date\nhint: python scripts/rooms.py", file=sys.stderr)
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())

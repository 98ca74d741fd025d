"""Prints one digest of all that an installed everwarm is built from, and of the words given as arguments."""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FILES = ("Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "pyproject.toml")
FOLDERS = ("crates", "python")
IGNORED = (".pyc", ".so")


def sources() -> list[Path]:
    """The files that matter to a build."""
    below = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*"))
    return [
        *(ROOT / name for name in FILES),
        *sorted(f for f in below if f.is_file() and f.suffix not in IGNORED),
    ]


def main(*words: str) -> None:
    """Prints the digest in hex."""
    digest = hashlib.sha256(repr(words).encode())
    for file in sources():
        digest.update(repr((file.relative_to(ROOT).as_posix(), file.stat().st_size)).encode())
        digest.update(file.read_bytes())
    print(digest.hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Checks what the crates of the workspace depend on, what licences that brings, and where `unsafe` is.

Rules: dependencies point one way (`MAY_DEPEND_ON`), one crate names pyo3, every third-party licence is in
`LICENCES`, the crates in `FORBID_UNSAFE` say so, and `unsafe` occurs only in `UNSAFE_FILES`.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

PURE = ("everwarm-core",)
MIDDLE = (
    "everwarm-memory",
    "everwarm-codec",
    "everwarm-layers",
    "everwarm-runtime",
    "everwarm-network",
    "everwarm-store-*",
)
ENGINE = (*PURE, *MIDDLE, "everwarm-engine")
FRONT = (*ENGINE, "everwarm-tiers")

# Crates of the workspace (the first pattern that fits) and the ones each may depend on.
MAY_DEPEND_ON: dict[str, tuple[str, ...]] = {
    "everwarm-core": (),
    "everwarm-memory": PURE,
    "everwarm-codec": PURE,
    "everwarm-layers": PURE,
    "everwarm-runtime": PURE,
    "everwarm-network": PURE,
    "everwarm-proxy": (),
    "everwarm-store-*": (*PURE, "everwarm-runtime", "everwarm-network"),
    # The words of the contract are the client's, too.
    "everwarm-server": (*PURE, "everwarm-runtime", "everwarm-store-http"),
    "everwarm-simulator": (*PURE, "everwarm-memory"),
    "everwarm-nodes": (*PURE, "everwarm-memory", "everwarm-codec", "everwarm-engine"),
    "everwarm-engine": (*PURE, *MIDDLE),
    "everwarm-macros": PURE,
    "everwarm-conformance": ENGINE,
    "everwarm-tiers": ENGINE,
    "everwarm": (*FRONT, "everwarm-macros"),
    "everwarm-cli": (*ENGINE, "everwarm"),
    "everwarm-python": (*FRONT, "everwarm", "everwarm-server", "everwarm-conformance", "everwarm-proxy"),
}

# Tests may use the suites that third parties use, too; a server's those stores that need no server.
TESTS_MAY_DEPEND_ON = ("everwarm-conformance", "everwarm-proxy")
TESTS_MAY_DEPEND_ON_TOO = {"everwarm-server": ("everwarm-memory", "everwarm-store-*")}

PYO3_CRATE = "everwarm-python"

FORBID_UNSAFE = (
    "everwarm-core",
    "everwarm-memory",
    "everwarm-codec",
    "everwarm-layers",
    "everwarm-runtime",
    "everwarm-network",
    "everwarm-proxy",
    "everwarm-store-redis",
    "everwarm-store-memcached",
    "everwarm-store-disk",
    "everwarm-store-file",
    "everwarm-store-http",
    "everwarm-server",
    "everwarm-store-sql",
    "everwarm-store-mongodb",
    "everwarm-store-object",
    "everwarm-store-dynamodb",
    "everwarm-conformance",
    "everwarm-engine",
    "everwarm-tiers",
    "everwarm",
    "everwarm-macros",
    "everwarm-simulator",
    "everwarm-nodes",
)

UNSAFE_FILES = frozenset(
    f"crates/everwarm-python/src/{name}.rs"
    for name in (
        *("arguments", "call", "calling", "forks", "lock", "methods", "object", "ready"),
        *("keys/exact", "keys/short", "format/raw"),
    )
)

LICENCES = frozenset(
    {
        "MIT",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "Zlib",
        "Unicode-3.0",
        "CC0-1.0",
        "0BSD",
        "BSL-1.0",
        # Of data: the authorities of webpki-roots, which the client of MySQL brings along and does not use.
        "CDLA-Permissive-2.0",
    }
)


def licence_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with the licences in `LICENCES`.

    `WITH` binds closest, then `AND`, then `OR`. The old form `MIT/Apache-2.0` means `OR`. An expression that
    cannot be read is not allowed.
    """
    words = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))
    try:
        allowed, rest = _either(words)
    except IndexError:
        return False
    return allowed and not rest


def _either(words: list[str]) -> tuple[bool, list[str]]:
    allowed, words = _both(words)
    while words and words[0] == "OR":
        other, words = _both(words[1:])
        allowed = allowed or other
    return allowed, words


def _both(words: list[str]) -> tuple[bool, list[str]]:
    allowed, words = _single(words)
    while words and words[0] == "AND":
        other, words = _single(words[1:])
        allowed = allowed and other
    return allowed, words


def _single(words: list[str]) -> tuple[bool, list[str]]:
    if words[0] == "(":
        allowed, words = _either(words[1:])
        if words[0] != ")":
            raise IndexError
        return allowed, words[1:]
    name, words = words[0], words[1:]
    if words and words[0] == "WITH":
        name, words = f"{name} WITH {words[1]}", words[2:]
    return name in LICENCES, words


def direction(metadata: dict[str, Any]) -> Iterator[str]:
    """Violations of the one-way rule among the crates of the workspace, and of the pyo3 rule."""
    members = _members(metadata)
    names = {package["name"] for package in members}
    for package in members:
        name = package["name"]
        allowed = next((MAY_DEPEND_ON[p] for p in MAY_DEPEND_ON if fnmatch(name, p)), None)
        if allowed is None:
            yield f"{name}: not in the table MAY_DEPEND_ON; hint: give it a line there"
            continue
        for dependency in package["dependencies"]:
            other = dependency["name"]
            patterns = allowed
            if dependency["kind"] == "dev":
                patterns += TESTS_MAY_DEPEND_ON + TESTS_MAY_DEPEND_ON_TOO.get(name, ())
            if other in names and not any(fnmatch(other, pattern) for pattern in patterns):
                yield f"{name}: must not depend on {other}"
            if other.startswith("pyo3") and name != PYO3_CRATE:
                yield f"{name}: must not depend on {other}; only {PYO3_CRATE} does"


def licences(metadata: dict[str, Any]) -> Iterator[str]:
    """Third-party packages whose licence is missing or not in `LICENCES`."""
    for package in metadata["packages"]:
        if package["source"] is None:
            continue
        expression = package["license"]
        if expression is None or not licence_allowed(expression):
            yield f"{package['name']} {package['version']}: licence {expression!r} is not in the allow list"


def unsafe_forbidden(metadata: dict[str, Any]) -> Iterator[str]:
    """Crates of `FORBID_UNSAFE` whose root does not forbid it."""
    for package in _members(metadata):
        if package["name"] in FORBID_UNSAFE:
            root = Path(package["manifest_path"]).parent / "src" / "lib.rs"
            if "#![forbid(unsafe_code)]" not in root.read_text().splitlines():
                yield f"{package['name']}: src/lib.rs must say #![forbid(unsafe_code)]"


# Comments, strings and character literals: what a word must not be looked for in.
_SILENT = re.compile(
    r"""//[^\n]*|/\*.*?\*/|\bb?r(#*)".*?"\1|"(?:\\.|[^"\\])*"|'(?:\\[^']+|[^'\\])'""",
    re.DOTALL,
)


def unsafe_used(root: Path) -> Iterator[str]:
    """Rust files below `root` that say `unsafe` and are not in `UNSAFE_FILES`."""
    for file in sorted(root.glob("crates/*/**/*.rs")):
        name = file.relative_to(root).as_posix()
        code = _SILENT.sub(" ", file.read_text())
        if re.search(r"\bunsafe\b", code) and name not in UNSAFE_FILES:
            yield f"{name}: `unsafe` is allowed only in the files of UNSAFE_FILES"


def violations(metadata: dict[str, Any], root: Path) -> list[str]:
    """Everything that breaks a rule."""
    return [
        *direction(metadata),
        *licences(metadata),
        *unsafe_forbidden(metadata),
        *unsafe_used(root),
    ]


def read_metadata(root: Path) -> dict[str, Any]:
    """What cargo says about the workspace at `root`."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked"]
    output = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE).stdout
    metadata: dict[str, Any] = json.loads(output)
    return metadata


def _members(metadata: dict[str, Any]) -> list[dict[str, Any]]:
    members = set(metadata["workspace_members"])
    return [package for package in metadata["packages"] if package["id"] in members]


def main() -> int:
    """Prints the violations; the number of packages if there are none."""
    try:
        metadata = read_metadata(ROOT)
    except subprocess.CalledProcessError:
        print("hint: if Cargo.lock is out of date, run `cargo metadata` once and commit it", file=sys.stderr)
        return 1
    found = violations(metadata, ROOT)
    for violation in found:
        print(f"error: {violation}", file=sys.stderr)
    if not found:
        print(f"{len(metadata['packages'])} packages: direction, licences and unsafe are as they should be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

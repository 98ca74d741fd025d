"""The private environment of the benchmarks: peers or clients, and Everwarm built from this checkout."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
import sys
import venv
from pathlib import Path

_SOURCES = ("Cargo.toml", "Cargo.lock", "pyproject.toml", "rust-toolchain.toml", "crates", "python")
_LISTS = Path(__file__).resolve().parent
PEERS = "peers.txt"
CLIENTS = "clients.txt"


def pinned(names: str = PEERS) -> dict[str, str]:
    """Return each line of a list of distributions by the name of the distribution."""
    lines = [line.strip() for line in (_LISTS / names).read_text(encoding="utf-8").splitlines()]
    return {line.partition("==")[0].partition("[")[0]: line for line in lines if line and line[0] != "#"}


def directory(root: Path) -> Path:
    """Return where the environment of this interpreter lies."""
    return root / ".cache" / "bench-venv" / platform.python_version()


def is_inside(root: Path) -> bool:
    """Say whether this process already runs in the environment."""
    return Path(sys.prefix).resolve() == directory(root).resolve()


def prepare(root: Path, *, build: bool, names: str = PEERS) -> Path:
    """Make or reuse the environment with what a list names, and return its interpreter.

    What cannot be installed is kept with its reason.
    """
    place = directory(root)
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    failures = place / "failures.json"
    missing: dict[str, str] = json.loads(failures.read_text()) if failures.exists() else {}
    present = _installed(python)
    for name, line in pinned(names).items():
        if present.get(_normal(name)) != line.partition("==")[2]:
            _install(python, [line], name, missing)
    if build:
        _install_everwarm(root, place, python, missing)
    failures.write_text(json.dumps(missing, indent=1))
    return python


def failures(root: Path) -> dict[str, str]:
    """Return what could not be installed, and why."""
    file = directory(root) / "failures.json"
    return json.loads(file.read_text()) if file.exists() else {}


def built_from(root: Path) -> str:
    """Return the commit from which the installed Everwarm was built."""
    stamp = directory(root) / "everwarm.json"
    return json.loads(stamp.read_text())["commit"] if stamp.exists() else "not built from this checkout"


def _normal(name: str) -> str:
    """Return a distribution's name in one spelling."""
    return name.lower().replace("_", "-").replace(".", "-")


def _installed(python: Path) -> dict[str, str]:
    """Return the distributions that are in the environment, with their versions."""
    listed = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {_normal(entry["name"]): entry["version"] for entry in json.loads(listed.stdout)}


def _install(python: Path, what: list[str], name: str, missing: dict[str, str]) -> bool:
    """Install with pip; keep the last line of a failure as its reason."""
    print(f"installing {name} ...", file=sys.stderr, flush=True)
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", *what],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        missing.pop(name, None)
        return True
    lines = [line.strip() for line in done.stderr.splitlines() if "error" in line.lower()]
    missing[name] = lines[-1] if lines else f"pip ended with {done.returncode}"
    return False


def _install_everwarm(root: Path, place: Path, python: Path, missing: dict[str, str]) -> None:
    """Build and install the checkout, unless its sources are those that are installed already."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        path = root / source
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.suffix not in (".pyc", ".so"):
                digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    stamp = place / "everwarm.json"
    if stamp.exists() and json.loads(stamp.read_text())["sources"] == digest.hexdigest():
        return
    stamp.unlink(missing_ok=True)
    if _install(python, ["--force-reinstall", "--no-deps", str(root)], "everwarm", missing):
        stamp.write_text(json.dumps({"sources": digest.hexdigest(), "commit": _commit(root)}))
    else:
        # An older build must not be measured in the name of this one.
        subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "everwarm"], check=False)


def _commit(root: Path) -> str:
    """Return the commit of the checkout, and whether the sources differ from it."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    name = git("rev-parse", "--short=12", "HEAD") or "unknown"
    return name + (" with local changes" if git("status", "--porcelain", "--", *_SOURCES) else "")

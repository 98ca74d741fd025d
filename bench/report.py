"""Tables of results, as Markdown."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True)
class Verdict:
    """What must be reached and what was; `met` is None when Everwarm was not measured."""

    limit: str
    reached: str
    met: bool | None

    @property
    def sentence(self) -> str:
        """Return the verdict as a line of a report."""
        return f"Must reach {self.limit}. Reached: {self.reached} (within the limit: {self.word})."

    @property
    def word(self) -> str:
        """Return the verdict as a word."""
        return {True: "yes", False: "NO", None: "not measured"}[self.met]


@dataclass(frozen=True)
class Table:
    """One table of one row: its lines, and who was left out and why."""

    row: int
    title: str
    verdict: Verdict
    columns: tuple[str, ...]
    lines: Sequence[tuple[str, ...]]
    left_out: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Return the table with its heading, verdict, notes and absentees."""
        parts = [
            f"## Row {self.row}: {self.title}",
            self.verdict.sentence,
            *([grid(self.columns, self.lines)] if self.lines else []),
            *self.notes,
        ]
        if self.left_out:
            parts.append(
                "Left out:\n\n" + "\n".join(f"- {name}: {reason}" for name, reason in self.left_out.items())
            )
        return "\n\n".join(parts)


def grid(columns: tuple[str, ...], lines: Iterable[tuple[str, ...]], texts: int = 1) -> str:
    """Lay out an aligned Markdown table; the first `texts` columns are text, the others figures."""
    rows = [columns, *lines]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]

    def line(row: tuple[str, ...]) -> str:
        cells = [
            cell.ljust(width) if i < texts else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = (
        "|"
        + "|".join("-" * (w + 2) if i < texts else "-" * (w + 1) + ":" for i, w in enumerate(widths))
        + "|"
    )
    return "\n".join([line(columns), rule, *(line(row) for row in rows[1:])])


def summary(tables: Sequence[Table]) -> str:
    """Return the table of verdicts that opens a report."""
    lines = [(f"{t.row}: {t.title}", t.verdict.limit, t.verdict.reached, t.verdict.word) for t in tables]
    return grid(("row", "must reach", "reached", "within"), lines, texts=4)


def compare(tables: Sequence[Table], recorded: str) -> str:
    """Return what was reached in a recorded result beside what is reached now, row by row."""
    form = r"^## Row (.+)\n\nMust reach .*? Reached: (.*) \(within"
    before = dict(re.findall(form, recorded, re.MULTILINE))
    lines = []
    for table in tables:
        name = f"{table.row}: {table.title}"
        lines.append((name, before.get(name, "–"), table.verdict.reached))
    return grid(("row", "reached before", "reached now"), lines, texts=3)


def _cpu_model() -> str:
    """Return the processor's name as the kernel gives it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def machine(commit: str, distributions: Iterable[str]) -> str:
    """Return the table of what was measured on what."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = []
    for name in ("everwarm", *distributions):
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            versions.append(f"{name} missing")
    load = " ".join(f"{value:.2f}" for value in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"
    lines = [
        ("processor", _cpu_model()),
        ("cores", str(cores)),
        ("system", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("load before", load),
        (
            "Python",
            f"{platform.python_implementation()} {platform.python_version()} ({platform.python_compiler()})",
        ),
        ("GIL", "off" if not getattr(sys, "_is_gil_enabled", lambda: True)() else "on"),
        ("everwarm's commit", commit),
        ("versions", ", ".join(versions)),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in lines)

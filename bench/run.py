"""Measure Everwarm beside its peers: `python bench/run.py --help` says how."""

from __future__ import annotations

import argparse
import datetime
import logging
import os
import platform
import sys
from pathlib import Path

import environment
import harness
import report
from rows import ROWS

ROOT = Path(__file__).resolve().parent.parent
HOW = (
    f"Hits: medians of {harness.FULL.rounds} interleaved rounds, processor time of the thread, empty loop "
    "subtracted, 1,000 warm keys. How to read this: bench/README.md."
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure Everwarm beside its peers.")
    parser.add_argument("--rows", type=_rows, default=tuple(ROWS), help="as in 1,2,18 (default: all)")
    parser.add_argument("--quick", action="store_true", help="few short rounds, not to be quoted")
    parser.add_argument("--compare", type=_result, metavar="FILE", help="a result to set beside this one")
    parser.add_argument("--no-build", action="store_true", help="measure the Everwarm installed before")
    return parser.parse_args()


def _rows(text: str) -> tuple[int, ...]:
    """Read a list of row numbers."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers") from None
    for number in numbers:
        if number not in ROWS:
            raise argparse.ArgumentTypeError(f"no row {number}; hint: rows are {', '.join(map(str, ROWS))}")
    return numbers


def _result(text: str) -> Path:
    """Read the name of a recorded result, as it is or as one of `bench/results`."""
    for file in (Path(text), ROOT / "bench" / "results" / text):
        if file.is_file():
            return file.resolve()
    raise argparse.ArgumentTypeError(f"no file {text}; hint: take one of bench/results")


def main() -> None:
    """Enter the private environment, measure, print and write the report."""
    options = arguments()
    if not environment.is_inside(ROOT):
        python = environment.prepare(ROOT, build=not options.no_build)
        os.execv(python, [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])
    # What peers log is not printed between the tables; their loggers keep their levels, and so their cost.
    logging.getLogger().addHandler(logging.NullHandler())
    effort = harness.QUICK if options.quick else harness.FULL
    today = datetime.date.today().isoformat()
    title = f"# Everwarm beside its peers, {today}, CPython {platform.python_version()}"
    head = report.machine(environment.built_from(ROOT), environment.pinned())
    print(f"{title}\n\n{head}\n", flush=True)
    tables = []
    for row in options.rows:
        for table in ROWS[row](effort):
            print(table.markdown() + "\n", flush=True)
            tables.append(table)
    overview = report.summary(tables)
    reasons = [f"- {name}: {reason}" for name, reason in environment.failures(ROOT).items()]
    ending = ["## Not installed\n\n" + "\n".join(reasons)] if reasons else []
    if options.compare:
        recorded = options.compare.read_text(encoding="utf-8")
        ending.append(f"## Beside {options.compare.name}\n\n{report.compare(tables, recorded)}")
    print("\n\n".join([overview, *ending]))
    if options.quick:
        print("\nA quick run: not to be quoted, and not written to a file.", file=sys.stderr)
        return
    parts = [title, HOW, head, overview, *(table.markdown() for table in tables), *ending]
    part = "" if options.rows == tuple(ROWS) else "-rows-" + "-".join(map(str, options.rows))
    file = ROOT / "bench" / "results" / f"{today}-{platform.python_version()}{part}.md"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print(f"\nwritten to {file.relative_to(ROOT)}", file=sys.stderr)


if __name__ == "__main__":
    main()

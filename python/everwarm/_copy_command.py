"""`everwarm copy`: what one store holds of a namespace, in another store."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from everwarm import _url
from everwarm._cache import Cache
from everwarm._copy import Copied, copy
from everwarm._errors import StoreError


def add_to(commands: Any) -> None:
    """Adds the command to those of a parser."""
    parser = commands.add_parser(
        "copy",
        help="copy a namespace from one store to another",
        description="Copies what one store holds of a namespace to another store, while both are used. "
        "Entries keep their tags and what is left of their ttl. What was invalidated in the source "
        "before the end is not in the target.",
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("source", metavar="FROM", help="the store that has the entries: redis://host, disk:///dir")
    add("target", metavar="TO", help="the store that is to have them: postgresql://host/database")
    add("--namespace", default="", metavar="NAME", help="the namespace of the caches that use them")
    add("--after", metavar="PLACE", help="go on from the place that a copy told which was broken off")
    add("--rate", type=int, metavar="COUNT", help="how many entries to look at in a second, at most")
    add("--quiet", action="store_true", help="tell nothing before the end")


def run(said: argparse.Namespace) -> None:
    """Copies, and tells how far it is.

    Raises ``ConfigError`` for what cannot be meant, ``StoreError`` where a store cannot be had.
    """
    old, new = (Cache([url], namespace=said.namespace) for url in (said.source, said.target))
    place = said.after

    def progress(copied: Copied) -> None:
        nonlocal place
        place = copied.place
        if not said.quiet:
            print(f"{_line(copied)}; at {place}" if place else _line(copied), file=sys.stderr, flush=True)

    try:
        copied = copy(old, new, said.after, progress, said.rate)
    except (StoreError, KeyboardInterrupt) as error:
        if place is not None:
            print(f"everwarm: go on with --after {place!r}", file=sys.stderr)
        if isinstance(error, KeyboardInterrupt):
            raise SystemExit(130) from None
        raise
    finally:
        old.close()
        new.close()
    print(f"{_url.shown(said.source)} to {_url.shown(said.target)}: {_line(copied)}")


def _line(copied: Copied) -> str:
    counts = ("seen", "copied", "there", "gone", "refused", "checked", "dropped")
    return ", ".join(f"{getattr(copied, name)} {name}" for name in counts)

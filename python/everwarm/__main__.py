"""The command `everwarm`, as a script and as `python -m everwarm`."""

from __future__ import annotations

import argparse
import sys

from everwarm import _copy_command, _serve
from everwarm._errors import Error


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; 0 if it was done."""
    parser = argparse.ArgumentParser("everwarm", description="One cache for Python and Rust.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _copy_command.add_to(commands)
    _serve.add_to(commands)
    said = parser.parse_args(arguments)
    try:
        said.run(said)
    except Error as error:
        print(f"everwarm: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Writes docs/guide/failures.md: what a caller gets when something fails, and which tests show it.

``python scripts/failures.py`` writes it from ``tests/reliability``, ``--check`` says whether it is up to
date.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/guide/failures.md"
TABLE = ROOT / "tests/reliability/failures.py"
TESTS = ROOT / "tests/reliability/test_failures.py"

HEAD = """# When something fails

A cache makes things faster, and is never the reason that something does not work: whatever fails behind it, a
call gets its value from the function. These are the situations that were thought of, what the caller gets in
each, and within which time.

```python
from everwarm import Cache

shop = Cache(["redis://127.0.0.1:1/0"], namespace="shop")       # nothing listens there


@shop(name="price")
def price(sku: str) -> float:
    return 9.5


assert price("lamp") == 9.5
assert sum(shop.tiers()[-1].errors.values()) > 0                # it is counted, by its kind
shop.close()
```

| situation | the caller gets | within |
|---|---|---|
"""

TAIL = """
The times are those of stores behind a connection, with the limits that they have by default: see
[when a store is down or slow](resilience.md). [Redis](redis.md) says which failure is of which kind,
[errors](errors.md) what is raised. Failures of a tier are counted in `cache.tiers()`, and what could not be
stored in `stats()`.

## How it is shown

Each row is a test against the real thing: a server that is killed, frozen, full, that changes its password or
its role, and a proxy that does to connections what networks do: `tests/reliability/test_failures.py`.

| situation | tests |
|---|---|
"""


def table() -> dict[str, tuple[str, str]]:
    """The rows: what the caller gets in each situation, and the bound."""
    for node in ast.parse(TABLE.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TABLE":
            rows: dict[str, tuple[str, str]] = ast.literal_eval(node.value)
            return rows
    raise LookupError(f"{TABLE} has no TABLE")


def shown() -> Iterator[tuple[str, str]]:
    """Each test with the situation that it shows."""
    for node in ast.parse(TESTS.read_text()).body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "shows":
                yield ast.literal_eval(mark.args[0]), node.name.removeprefix("test_").replace("_", " ")


def page() -> str:
    rows, tests = table(), list(shown())
    told = [f"| {name} | {gets} | {bound} |" for name, (gets, bound) in rows.items()]
    proofs: list[str] = []
    for name in rows:
        names = [test for situation, test in tests if situation == name]
        if not names:
            raise LookupError(f"no test shows {name!r}\nhint: mark one with shows(...)")
        proofs.append(f"| {name} | {'; '.join(names)} |")
    return HEAD + "\n".join(told) + "\n" + TAIL + "\n".join(proofs) + "\n"


def main() -> int:
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text() == page():
            return 0
        print("docs/guide/failures.md is not up to date\nhint: python scripts/failures.py", file=sys.stderr)
        return 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What the entries of a function were called before an upgrade, and what becomes of their values."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from everwarm._native import Format

_Convert: TypeAlias = Callable[[Any], object] | None

def declared(upgrade: object, depends_on: str | None) -> tuple[tuple[str, _Convert], ...]: ...
def names(
    pairs: Sequence[tuple[str, _Convert]],
    now: tuple[str, str, str],
    form: Format,
    make: Callable[[object], Format],
    items: type | None = None,
) -> list[tuple[str, str, Format, _Convert]]: ...

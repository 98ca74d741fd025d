"""Failures of a policy's own callables: said once, in the log, since the function's value is returned."""

from __future__ import annotations

import logging

_log = logging.getLogger("everwarm")
_said: set[tuple[str, type[BaseException]]] = set()


def failed(what: str, error: BaseException) -> None:
    """Says that the callable given as ``what`` has raised ``error``, once for each class of error."""
    kind = (what, type(error))
    if kind in _said:
        return
    _said.add(kind)
    _log.warning(
        "%s raised %s, so the value was returned but not stored\n"
        "hint: mend the callable; `stats().errors` counts on",
        what,
        type(error).__name__,
        exc_info=error,
    )

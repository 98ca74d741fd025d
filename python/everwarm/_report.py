"""Failures of a policy's or a cache's own callables: said once, in the log, since the call goes on."""

from __future__ import annotations

import logging

_log = logging.getLogger("everwarm")
_HINTS = {"isolate=": "give the value's class a `__deepcopy__`, or leave `isolate` out"}
_said: set[tuple[str, type[BaseException]]] = set()


def failed(what: str, error: BaseException, so: str) -> None:
    """Says that the callable ``what`` has raised ``error``, and what followed; once for each class."""
    kind = (what, type(error))
    if kind in _said:
        return
    _said.add(kind)
    _log.warning(
        "%s raised %s, %s\nhint: %s; `stats().errors` counts on",
        what,
        type(error).__name__,
        so,
        _HINTS.get(what, "mend the callable"),
        exc_info=error,
    )

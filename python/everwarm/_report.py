"""What is said once, in the log, since the call goes on: callables that fail, values that are not stored."""

from __future__ import annotations

import logging

_log = logging.getLogger("everwarm")
_HINTS = {"isolate=": "give the value's class a `__deepcopy__`, or leave `isolate` out"}
_AWAITED = "decorate the `async def` function itself, or await the coroutine and return its value"
_SPENT = {
    "coroutine": _AWAITED,
    "Ready": _AWAITED,
    "async_generator": "decorate the asynchronous generator function itself, whose items are stored",
}
_ITERATOR = "return a list or a tuple, or write the function with `yield`, so that its items are stored"
_said: set[tuple[str, object]] = set()
# So many reasons are remembered.
_MOST = 1_000
_refused: set[tuple[str, str]] = set()


def failed(what: str, error: BaseException, so: str, is_secret: bool = False) -> None:
    """Says that the callable ``what`` has raised ``error``, and what followed; once for each class.

    What the error says and where it was raised is left out if that ``is_secret``.
    """
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
        exc_info=None if is_secret else error,
    )


def spent_by_use(title: str, kind: str) -> None:
    """Says that ``title`` gave a value that can be used only once; once for each kind of value."""
    if (title, kind) in _said:
        return
    _said.add((title, kind))
    _log.warning(
        "%s gave a value of type %s, which can be used only once, so it was returned but not stored\n"
        "hint: %s; `stats().refused` counts on",
        title,
        kind,
        _SPENT.get(kind, _ITERATOR),
    )


def refused(function: str, why: str, is_secret: bool = False) -> None:
    """Says that a value cannot leave this process, and what to do; once for each function and reason.

    One that ``is_secret`` does not lie in its memory either.
    """
    if (function, why) in _refused or len(_refused) >= _MOST:
        return
    _refused.add((function, why))
    _log.warning(
        "a value of %s %s: %s; `stats().refused` counts on",
        function or "a cache's own",
        "is not cached" if is_secret else "stays in this process's memory",
        why,
    )


def local(function: str, why: str, hint: str, is_secret: bool = False) -> None:
    """Says that a function's values all stay in this process, or nowhere; once for each function."""
    if (function, why) in _refused or len(_refused) >= _MOST:
        return
    _refused.add((function, why))
    kept = "are not cached" if is_secret else "stay in this process's memory"
    _log.warning("the values of %s %s: %s\nhint: %s", function, kept, why, hint)


def doubt(why: str) -> None:
    """Says why a store has given up what it had."""
    _log.warning("%s; what it had is computed anew", why)


def unopened(tier: str, why: str, hint: str) -> None:
    """Says that the store of a tier could not be opened; once for each cache and store, again in a fork."""
    _log.warning(
        "the store of the tier %s could not be opened: %s; it counts as down, and is tried again\nhint: %s",
        tier,
        why,
        hint,
    )


def complaint(tier: str, why: str) -> None:
    """Says of a tier that it fails in a way that does not pass by itself; once for each kind of failure."""
    _log.warning("the tier %s fails: %s; `cache.tiers()` counts on", tier, why)


def left_out(client: str, options: list[tuple[str, str]]) -> None:
    """Says which options of a client have no meaning for a store; once for each kind of client and option."""
    fresh = [(name, why) for name, why in options if (client, name) not in _said]
    if not fresh:
        return
    _said.update((client, name) for name, _ in fresh)
    _log.warning(
        "of the options of a %s these are left out: %s\nhint: a store is told by its URL and by `Tier`",
        client,
        "; ".join(f"{name} ({why})" for name, why in fresh),
    )

"""One call that is told to do differently: ``function.using(max_age=5)(...)``."""

from __future__ import annotations

from everwarm import _native
from everwarm._drive import ORDINARY, drive
from everwarm._errors import UnknownOption
from everwarm._result import result

_OPTIONS = (
    "skip",
    "refresh",
    "only_if_cached",
    "max_age",
    "max_stale",
    "read_only",
    "write_only",
    "soft_timeout",
    "hard_timeout",
    "wait_timeout",
)

REFRESH = _native.Plan(refresh=True)


class Using:
    """A decorated function with options for its calls: called as it is, or asked by ``call``."""

    __slots__ = ("_before", "_function", "_plan", "_said")

    def __init__(self, function, before, options):
        unknown = options.keys() - set(_OPTIONS)
        if unknown:
            raise UnknownOption(_native.unknown_option(min(unknown), _OPTIONS))
        self._function = function
        # The instance, for a method.
        self._before = before
        self._plan = _native.Plan(**options)
        self._said = options

    def __call__(self, /, *args, **kwargs):
        """The call's value. For coroutine functions, awaitable.

        Raises ``NotCached`` if it is told ``only_if_cached`` and there is no entry it may be served.
        """
        return self._function._value(self._plan, self._before + args, kwargs)

    def call(self, /, *args, **kwargs):
        """The call's value as a ``Result``. For coroutine functions, awaitable."""
        return self._function._result(self._plan, self._before + args, kwargs)

    def __repr__(self):
        said = ", ".join(f"{name}={value!r}" for name, value in self._said.items())
        return f"<{self._function!r} using {said or 'nothing'}>"


def value_of(function, plan, args, kwargs):
    """What a call of this plan gives; for coroutine functions, an awaitable."""
    if function._is_async:
        return drive(function, args, kwargs, plan)
    return _native.ask(function, plan, args, kwargs)


def result_of(function, plan, args, kwargs):
    """The same as a ``Result``."""
    if function._is_async:
        return _called(function, plan, args, kwargs)
    return result(*_native.call_with_result(function, plan, function._namespace, args, kwargs))


async def _called(function, plan, args, kwargs):
    value, turn = await drive(function, args, kwargs, plan, described=True)
    return result(*_native.described(function, function._namespace, args, kwargs, value, turn))


__all__ = ["ORDINARY", "REFRESH", "Using", "result_of", "value_of"]

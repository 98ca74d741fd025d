"""Calls that go past every cache, for as long as a block lasts."""

from __future__ import annotations

from contextvars import ContextVar

from everwarm import _native
from everwarm._errors import ConfigError

# Flags of code objects.
_COROUTINE, _GENERATORS = 0x80, 0x20 | 0x200

# The innermost block that the current context was in.
_block: ContextVar[disabled | None] = ContextVar("everwarm_disabled", default=None)


class disabled:
    """Inside the ``with`` block calls go past every cache: nothing is read and nothing stored.

    Also a decorator of functions and coroutine functions. It holds for the current context: other threads and
    tasks go on as before, and tasks that are started inside are disabled until the block ends. Invalidations
    take effect as ever.

    >>> import everwarm
    >>> @everwarm.cache
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> with everwarm.disabled():
    ...     double(3), double.peek(3)
    (6, None)
    """

    __slots__ = ("_outer", "_runs")

    def __init__(self):
        self._outer = None
        # None before it is entered, True inside, False for ever after.
        self._runs = None

    def __enter__(self):
        if self._runs is not None:
            raise ConfigError("this block was entered before\nhint: write `with everwarm.disabled():` anew")
        self._outer = _running()
        self._runs = True
        _block.set(self)
        _native.shut_gates()

    def __exit__(self, *raised):
        self._runs = False
        # A generator may be closed in somebody else's context.
        if _block.get() is self:
            _block.set(self._outer)
        _native.open_gates()

    def __call__(self, function):
        if not callable(function) or isinstance(function, type):
            raise ConfigError(
                "disabled() decorates functions\nhint: write `@everwarm.disabled()` above `def`"
            )
        if _flags(function) & _GENERATORS:
            raise ConfigError(
                "disabled() decorates no generators, which run outside of the call that makes them\n"
                "hint: write `with everwarm.disabled():` around the loop that reads it"
            )
        return _decorated(function)


def _decorated(function):
    import functools

    if _flags(function) & _COROUTINE:

        @functools.wraps(function)
        async def past(*args, **kwargs):
            with disabled():
                return await function(*args, **kwargs)
    else:

        @functools.wraps(function)
        def past(*args, **kwargs):
            with disabled():
                return function(*args, **kwargs)

    return past


def _flags(function):
    return getattr(getattr(function, "__code__", None), "co_flags", 0)


def _running():
    """The innermost block of the current context that has not ended."""
    block = _block.get()
    while block is not None and not block._runs:
        block = block._outer
    return block


def is_inside():
    """Whether the current context is inside a block."""
    return _running() is not None

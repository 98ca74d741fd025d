"""What a test has computed in place of a decorated function: an error, a slow answer, what was recorded."""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from functools import wraps

from everwarm import _native
from everwarm._drive import _pause
from everwarm._errors import ConfigError
from everwarm._function import Bound, Function
from everwarm._load import load
from everwarm._replay import Replayed


class Slow:
    """How long each computation is to take longer."""

    __slots__ = ("seconds",)

    def __init__(self, seconds):
        self.seconds = seconds


def slow(by):
    """For ``force``: computations take longer by ``by``, a duration in real time."""
    seconds = _native.seconds(by)
    if seconds is None:
        raise ConfigError('a computation is slow by some time\nhint: write `slow("200ms")`')
    return Slow(seconds)


@contextmanager
def force(function, what, *, key=None):
    """Has calls of a decorated function meet what is hard to bring about, inside the ``with`` block.

    * ``what``: ``"expired"``, and its entries are gone at the begin of the block; ``"stale"``, and the entry
      of ``key`` is demoted, so that it is served in its stale windows only; an exception, which computations
      raise; ``slow("200ms")``, by which they take longer.
    * ``key``: the arguments of the one call that it is about, as a tuple; None for all.

    Calls that find an entry compute nothing, so with an error or a slow answer begin without one. Raises
    ``ConfigError`` for anything else.

    >>> from everwarm import Cache
    >>> from everwarm.testing import force
    >>> @Cache()
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> with force(double, ConnectionError("down"), key=(3,)):
    ...     double(2)
    ...     try:
    ...         double(3)
    ...     except ConnectionError as error:
    ...         print(error)
    4
    down
    >>> double(3)
    6
    """
    owner, first = _parted(function)
    if key is not None and not isinstance(key, tuple):
        raise ConfigError("key= takes the arguments of a call as a tuple\nhint: write `key=(3,)`")
    if isinstance(what, str):
        if what == "expired":
            function.clear() if key is None else function.invalidate(*key)
        elif what == "stale" and key is not None:
            function.mark_stale(*key)
        else:
            raise ConfigError(
                'force knows "expired" and, for one key, "stale"\nhint: write `force(f, "stale", key=(3,))`'
            )
        yield
        return
    if not isinstance(what, Slow) and not _is_error(what):
        raise ConfigError(
            'force takes "expired", "stale", an exception or `slow(...)`\n'
            'hint: write `force(f, ConnectionError("down"))`'
        )
    meant = None if key is None else owner.key(*first, *key)

    def is_meant(args, kwargs):
        return meant is None or owner.key(*args, **kwargs) == meant

    def before(args, kwargs):
        if is_meant(args, kwargs):
            if isinstance(what, Slow):
                return what.seconds
            raise what
        return 0.0

    with _stand_in(owner, before=before):
        yield


@contextmanager
def record(function, path):
    """Writes what each call of a decorated function is computed to into a file, inside the ``with`` block.

    The file has a line of JSON for each call: the digest of its key, and its value as MessagePack. Entries
    from before the block are let go, so that each call is computed once. Calls that raise are not recorded.

    Raises ``ValueRefused`` for a value that would not come back as it is.
    """
    owner, _ = _parted(function)
    form = _format(owner)
    owner.clear()
    with open(path, "w", encoding="utf-8") as file:

        def after(args, kwargs, value):
            data = base64.b64encode(_native.encode(value, form)).decode("ascii")
            file.write(json.dumps({"call": _digest(owner, args, kwargs), "value": data}) + "\n")

        with _stand_in(owner, after=after):
            yield


@contextmanager
def replay(function, path):
    """Answers calls of a decorated function from a file of ``record``, inside the ``with`` block.

    The function itself does not run; a call that was not recorded raises ``LookupError``. Entries from
    before the block are let go, and those from it at its end.

    >>> import os, tempfile
    >>> from everwarm import Cache
    >>> from everwarm.testing import record, replay
    >>> @Cache()
    ... def double(x: int) -> int:
    ...     return 2 * x
    >>> path = os.path.join(tempfile.mkdtemp(), "double.jsonl")
    >>> with record(double, path):
    ...     double(3)
    6
    >>> with replay(double, path):
    ...     double(3)
    6
    """
    owner, _ = _parted(function)
    form, recorded = _format(owner), {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            said = json.loads(line)
            recorded[said["call"]] = base64.b64decode(said["value"])

    def instead(args, kwargs):
        data = recorded.get(_digest(owner, args, kwargs))
        if data is None:
            name = getattr(owner, "__qualname__", repr(owner))
            raise LookupError(f"a call of {name} was not recorded\nhint: record it again, with this call")
        return _native.decode(data, form)

    owner.clear()
    try:
        with _stand_in(owner, instead=instead):
            yield
    finally:
        owner.clear()


@contextmanager
def _stand_in(owner, *, before=None, instead=None, after=None):
    """Has something else compute: told of a call ``before``, asked ``instead``, told the value ``after``."""
    function = owner.__wrapped__
    if owner._is_async:

        @wraps(function)
        async def computing(*args, **kwargs):
            pause = before(args, kwargs) if before else 0.0
            if pause:
                await _pause(pause)
            value = instead(args, kwargs) if instead else await function(*args, **kwargs)
            if after:
                after(args, kwargs, value)
            return value

    else:

        @wraps(function)
        def computing(*args, **kwargs):
            pause = before(args, kwargs) if before else 0.0
            if pause:
                time.sleep(pause)
            value = instead(args, kwargs) if instead else function(*args, **kwargs)
            if after:
                after(args, kwargs, value)
            return value

    _native.stand_in(owner, computing)
    # What drives coroutines, and refreshes behind a stale answer, calls the attribute.
    owner.__dict__["__wrapped__"] = computing
    try:
        yield
    finally:
        _native.stand_in(owner, None)
        owner.__dict__["__wrapped__"] = function


def _parted(function):
    """A decorated function, and the instance that comes first where it is a method."""
    owner, first = (
        (function.__func__, (function.__self__,)) if isinstance(function, Bound) else (function, ())
    )
    if not isinstance(owner, Function) or isinstance(owner, Replayed):
        raise ConfigError(
            f"this is about decorated functions, not {type(function).__name__}\n"
            "hint: give what `@cache` made of a function; generator functions are none of them"
        )
    return owner, first


def _format(owner):
    annotation = load("everwarm._schema").annotation_of(owner.__wrapped__)
    return load("everwarm._format").format_of("msgpack", annotation)


def _digest(owner, args, kwargs):
    return owner.key(*args, **kwargs).rpartition(":")[2]


def _is_error(what):
    return isinstance(what, BaseException) or (isinstance(what, type) and issubclass(what, BaseException))

"""What formats promise, as checks: a value comes back or is refused, and bytes of anybody do no harm."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

from everwarm import _format, _native
from everwarm._errors import ConfigError, ValueRefused

# What bytes that were made to run code have run.
_sprung = []


def spring(*_arguments):
    """What planted bytes call, in a reader that lets them."""
    _sprung.append(None)


class _Spring:
    def __reduce__(self):
        return spring, ()


class _Text(str):
    pass


class _Number(int):
    pass


def _strangers():
    """Values that many formats give back as others."""
    endless = []
    endless.append(endless)
    return [
        None,
        True,
        (1, 2),
        [(1,)],
        {1: "a"},
        {1, 2},
        frozenset([1]),
        b"\xff\x00",
        bytearray(b"a"),
        1.0,
        -0.0,
        2**100,
        1j,
        "\ud800",
        _Text("a"),
        _Number(1),
        object(),
        spring,
        _Spring,
        endless,
    ]


def _planted():
    """Bytes that run code in the readers of pickles, of expressions, of YAML and of tagged JSON."""
    import pickle

    name = f"{__name__}.{spring.__name__}"
    module = f"__import__({__name__!r}, None, None, ['{spring.__name__}'])"
    texts = [
        f"{module}.{spring.__name__}()",
        f"!!python/object/apply:{name} []",
        f"!!python/object/new:{name} []",
        f'{{"py/reduce": [{{"py/function": "{name}"}}, {{"py/tuple": []}}]}}',
        f'{{"py/object": "{__name__}._Spring"}}',
    ]
    pickles = [pickle.dumps(_Spring(), protocol) for protocol in range(6)]
    return [*pickles, *(text.encode() for text in texts)]


def _damaged(data):
    """Bytes that are nearly those of a value, and some of nobody's."""
    chance = random.Random(1)
    for at in range(0, len(data), max(1, len(data) // 50)):
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
    yield data + b"\x00"
    yield data + data
    for length in (0, 1, 16, 300):
        yield chance.randbytes(length)


class _Checked:
    """A format under test, with values that it is for."""

    def __init__(self, format, values, annotation):
        self.format = _format.format_of(format, annotation)
        self.values = list(values)
        if not self.values:
            raise ConfigError(
                "there is no value to check the format with\n"
                "hint: give values such as your functions return, each kind at least once"
            )

    def is_same(self, value, other):
        if type(value) is not type(other):
            return False
        try:
            if bool(value == other):
                return True
        except Exception:
            # Arrays compare by element.
            pass
        try:
            return self.written(value) == self.written(other)
        except ValueRefused:
            return False

    def written(self, value):
        return _native.encode(value, self.format)

    def taken(self):
        """The values that are not refused, each with its bytes."""
        for value in self.values:
            try:
                yield value, self.written(value)
            except ValueRefused:
                continue

    def read(self, data):
        """The value of these bytes, in a list; None if they are refused."""
        try:
            return [_native.decode(data, self.format)]
        except (LookupError, ValueError):
            return None


def _a_value_comes_back_as_it_was(checked):
    for at, value in enumerate(checked.values):
        try:
            data = checked.written(value)
        except ValueRefused as refused:
            return f"values[{at}], a {_kind(value)}, is refused: {str(refused).splitlines()[0]}"
        found = checked.read(data)
        if found is None:
            return f"values[{at}], a {_kind(value)}, is written, and its bytes are refused"
        if not checked.is_same(value, found[0]):
            return f"values[{at}], a {_kind(value)}, comes back as another {_kind(found[0])}"
    return None


def _what_cannot_come_back_is_refused(checked):
    for value in _strangers():
        try:
            found = checked.read(checked.written(value))
        except ValueRefused:
            continue
        if found is None:
            return f"{_shown(value)} is written, and its bytes are refused: let `dumps` refuse it"
        if not checked.is_same(value, found[0]):
            return f"{_shown(value)} comes back as {_shown(found[0])}: let `dumps` refuse it"
    return None


def _any_bytes_are_refused_in_peace(checked):
    for _, whole in checked.taken():
        for data in _damaged(whole):
            try:
                checked.read(data)
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                return f"bytes of nobody's raise {type(error).__name__} where they are read"
    return None


def _bytes_run_no_code(checked):
    if checked.format.needs_authentication:
        # Whoever has no key is kept from it before.
        return False
    for data in _planted():
        _sprung.clear()
        try:
            checked.read(data)
        except KeyboardInterrupt:
            raise
        except BaseException:
            # It is another promise that this one breaks.
            pass
        if _sprung:
            return f"bytes that begin with {data[:20]!r} ran code of whoever wrote them"
    return None


def _threads_do_not_disturb_each_other(checked):
    values = [value for value, _ in checked.taken()]

    def again(turn):
        value = values[turn % len(values)]
        found = checked.read(checked.written(value))
        return found is not None and checked.is_same(value, found[0])

    with ThreadPoolExecutor(4) as pool:
        if values and not all(pool.map(again, range(400))):
            return "of four threads that write and read at once one got another value"
    return None


_PROMISES = {
    f"format::{promise.__name__[1:]}": promise
    for promise in (
        _a_value_comes_back_as_it_was,
        _what_cannot_come_back_is_refused,
        _any_bytes_are_refused_in_peace,
        _bytes_run_no_code,
        _threads_do_not_disturb_each_other,
    )
}

NAMES = tuple(_PROMISES)


def outcome(format, values, name, annotation):
    """What becomes of one promise: None if kept, False if it is not offered, else how it is broken."""
    return _PROMISES[name](_Checked(format, values, annotation))


def _kind(value):
    return type(value).__name__


def _shown(value):
    return f"{repr(value)[:60]} ({_kind(value)})"

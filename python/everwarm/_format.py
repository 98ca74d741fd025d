"""Formats: how the values of a function become bytes, by name or by callables of the user's own."""

from __future__ import annotations

from everwarm._errors import ConfigError
from everwarm._load import load
from everwarm._native import Format, register_class

NAMES = ("msgpack", "json", "arrow", "pickle")
# What a custom format that has no name is called, before what its two callables are.
_UNNAMED = "custom"


class Unfit(Exception):
    """A value that a format cannot give back as it is; its text says why, and shows nothing of the value."""


def format_of(given="msgpack", annotation=None, *, limit=None, items=None):
    """The native `Format` for `format=`: a name, `(dumps, loads)`, or an object that has both.

    `annotation` is the return annotation, resolved: the classes it names are those that may be rebuilt.
    `limit` bounds a value's bytes. `items` is the class of what generators have yielded, where the values are
    that. `ConfigError` says what is wrong with either.
    """
    name, ways = _named(given)
    classes = []
    if name == "msgpack" and annotation is not None:
        from everwarm._schema import classes_of

        classes = classes_of(annotation)
    return Format(name, ways, classes, limit, items)


def _named(given):
    if isinstance(given, str):
        if given not in NAMES:
            raise ConfigError(f'there is no format "{given[:40]}"\nhint: the formats are {", ".join(NAMES)}')
        return given, _WAYS[given]
    if isinstance(given, tuple) and len(given) == 2:
        dumps, loads = given
        name = _unnamed(dumps, loads)
    else:
        dumps, loads = getattr(given, "dumps", None), getattr(given, "loads", None)
        name = getattr(given, "name", None) or getattr(given, "__name__", None) or _unnamed(dumps, loads)
    if not (callable(dumps) and callable(loads) and isinstance(name, str)) or name in NAMES:
        raise ConfigError(
            f"a format of type {type(given).__name__} has no `dumps` and `loads` to call, or a name that "
            "is taken\nhint: give a name, `(dumps, loads)`, or an object with both, and a `name` of its own"
        )
    return name, (dumps, loads)


def _unnamed(dumps, loads):
    """The name of a format that has none: of the code of both ways, so that none reads another's bytes."""
    if not (callable(dumps) and callable(loads)):
        return _UNNAMED
    return f"{_UNNAMED} {_code_of(dumps)} {_code_of(loads)}"


def _code_of(way):
    digest = load("everwarm._schema").source_digest(way)
    # What is no Python is told apart by its name, with the module of it.
    native = not hasattr(getattr(way, "__func__", way), "__code__")
    return f"{getattr(way, '__module__', '')}.{digest}" if native else digest


def register(class_, /):
    """Announces a class whose instances may be rebuilt from stored bytes, for every function.

    What the return annotation of a function names need not be announced. Returns the class, so that it is a
    decorator too. `ConfigError` for a class whose instances cannot be stored, and for a second class of one
    name.

    >>> import everwarm
    >>> from dataclasses import dataclass
    >>> @everwarm.register
    ... @dataclass
    ... class Point:
    ...     x: int
    """
    register_class(class_)
    return class_


def _read_json(data):
    return load("json").loads(str(data, "utf-8"), parse_constant=_no_constant)


def _no_constant(name):
    raise ValueError("no JSON")


def _to_arrow(value):
    return load("everwarm._format_frames").to_stream(value)


def _from_arrow(data):
    return load("everwarm._format_frames").from_stream(data)


def _to_pickle(value):
    return load("pickle").dumps(value, 5)


def _from_pickle(data):
    return load("pickle").loads(data)


_WAYS = {
    "msgpack": None,
    "json": (None, _read_json),
    "arrow": (_to_arrow, _from_arrow),
    "pickle": (_to_pickle, _from_pickle),
}

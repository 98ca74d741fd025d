"""Python values from the neutral form of `tests/vectors/keys.json`."""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import fractions
import importlib
import ipaddress
import pathlib
import re
import struct
import types
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any

import vector_classes

Neutral = list[Any]


def build(value: Neutral) -> Any:
    """The Python value that a neutral one describes."""
    kind, *content = value
    return BUILDERS[kind](*content)


def packages(value: Any) -> set[str]:
    """The packages without which a value cannot be built."""
    if not isinstance(value, list):
        return set()
    needed = set().union(*map(packages, value))
    if value and value[0] == "known":
        needed |= (
            {"numpy"} if value[1] in range(32, 40) else {"pandas"} if value[1] in range(40, 48) else set()
        )
        needed |= {"polars"} if value[1] in range(48, 56) else set()
    return needed


def float_of(bits: str) -> float:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    return float(number)


def repeat(kind: str, unit: str, count: int) -> Any:
    return build([kind, unit * count])


def nested(kind: str, depth: int) -> Any:
    value = build([kind])
    for _ in range(depth - 1):
        value = {"tuple": tuple, "list": list}[kind]([value])
    return value


def class_of(path: list[str]) -> Any:
    place: Any = importlib.import_module(path[0])
    for name in path[1].split("."):
        place = getattr(place, name)
    return place


def record(path: list[str], *fields: tuple[str, Neutral]) -> Any:
    return class_of(path)(**{name: build(value) for name, value in fields})


def timezone(content: Any) -> datetime.timezone:
    offset, *name = content
    return datetime.timezone(datetime.timedelta(microseconds=offset), *name)


def decimal_of(content: Any) -> decimal.Decimal:
    sign, digits, exponent = content
    return decimal.Decimal((sign, tuple(map(int, digits)), exponent))


def ndarray(content: Any) -> Any:
    import numpy

    dtype, shape, data = content
    if dtype == "|O":
        filled = numpy.empty(len(data), dtype=object)
        filled[:] = data
        return filled.reshape(shape)
    return numpy.frombuffer(data, dtype).reshape(shape)


def numpy_scalar(content: Any) -> Any:
    import numpy

    dtype, data = content
    return numpy.frombuffer(data, dtype)[0]


def numpy_dtype(content: str) -> Any:
    import numpy

    return numpy.dtype(content)


def index(content: Any) -> Any:
    import pandas

    name, names, column = content
    if name == "RangeIndex":
        return pandas.RangeIndex(*column, name=names[0])
    return pandas.Index(column, name=names[0])


def pandas_series(content: Any) -> Any:
    import pandas

    name, where, column = content
    return pandas.Series(column, index=where, name=name)


def pandas_missing(content: str) -> Any:
    import pandas

    return {"NaTType": pandas.NaT, "NAType": pandas.NA}[content]


def polars_series(content: Any) -> Any:
    import polars

    name, dtype, data = content
    return polars.Series(name, data, dtype=getattr(polars, dtype))


KNOWN: dict[int, Callable[[Any], Any]] = {
    1: lambda content: datetime.date(*content),
    2: lambda content: datetime.time(*content[:4], fold=content[4], tzinfo=content[5]),
    3: lambda content: datetime.datetime(*content[:7], fold=content[7], tzinfo=content[8]),
    4: lambda content: datetime.timedelta(*content),
    5: timezone,
    6: lambda content: zoneinfo.ZoneInfo(content),
    7: decimal_of,
    8: lambda content: fractions.Fraction(*content),
    9: lambda content: uuid.UUID(bytes=content),
    10: lambda content: getattr(pathlib, content[0])(content[1]),
    11: lambda content: getattr(ipaddress, content[0])(content[1]),
    12: lambda content: re.compile(*content),
    13: lambda content: range(*content),
    14: lambda content: slice(*content),
    15: lambda content: memoryview(content[2]).cast(content[0], content[1]),
    16: lambda content: array.array(*content),
    17: lambda content: collections.OrderedDict(content),
    18: lambda content: collections.deque(content[1], content[0]),
    19: lambda content: collections.defaultdict(*content),
    20: lambda content: collections.Counter(content),
    21: lambda content: collections.ChainMap(*content),
    22: lambda content: types.MappingProxyType(content),
    23: lambda content: types.SimpleNamespace(**content),
    32: ndarray,
    33: numpy_scalar,
    34: numpy_dtype,
    40: pandas_series,
    42: index,
    45: pandas_missing,
    48: polars_series,
}

BUILDERS: dict[str, Callable[..., Any]] = {
    "none": lambda: None,
    "bool": lambda value: value,
    "ellipsis": lambda: ...,
    "int": int,
    "float": float_of,
    "complex": lambda real, imag: complex(float_of(real), float_of(imag)),
    "str": lambda value: value,
    "text": lambda data: bytes.fromhex(data).decode("utf-8", "surrogatepass"),
    "bytes": bytes.fromhex,
    "bytearray": bytearray.fromhex,
    "repeat": repeat,
    "nested": nested,
    "tuple": lambda *items: tuple(map(build, items)),
    "list": lambda *items: list(map(build, items)),
    "set": lambda *items: set(map(build, items)),
    "frozenset": lambda *items: frozenset(map(build, items)),
    "dict": lambda *pairs: {build(key): build(value) for key, value in pairs},
    "known": lambda number, content: KNOWN[number](build(content)),
    "record": record,
    "declared": lambda path, key: vector_classes.Session(build(key)),
    "class": class_of,
    "member": lambda path, name: class_of(path)[build(name)],
    "flags": lambda path, value: class_of(path)(build(value)),
}

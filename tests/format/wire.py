"""A reader of the wire of its own, as short as can be: bytes to the trees of `tests/vectors/values.json`.

It believes every length, so that it also stands for the fault that the fuzzing must find.
"""

from __future__ import annotations

import struct
from typing import Any

RAW = {1, 5, 6, 8, 22, 24}
TAIL = {64, 65, 66, 67, 72, 73, 74, 75, 76}

Tree = list[Any]


def tree(data: bytes) -> Tree:
    """The tree of one value."""
    value, end = read(data, 0)
    if end != len(data):
        raise ValueError("bytes behind the value")
    return value


def number(data: bytes, at: int, width: int) -> int:
    part = data[at : at + width]
    return int.from_bytes(part, "big") if len(part) == width else part[width]


def text(data: bytes) -> Tree:
    return ["text", data.decode()]


def plain(data: bytes) -> Tree:
    return ["bytes", data.hex()]


def read(data: bytes, at: int) -> tuple[Tree, int]:
    tag, at = data[at], at + 1
    if tag < 0x80:
        return ["int", str(tag)], at
    if tag < 0x90:
        return pairs(data, at, tag & 15)
    if tag < 0xA0:
        return elements(data, at, tag & 15)
    if tag < 0xC0:
        return text(data[at : at + (tag & 31)]), at + (tag & 31)
    if tag >= 0xE0:
        return ["int", str(tag - 256)], at
    if tag in (0xC0, 0xC2, 0xC3):
        return (["none"] if tag == 0xC0 else ["bool", tag == 0xC3]), at
    if tag == 0xCB:
        return ["float", data[at : at + 8].hex()], at + 8
    if tag == 0xCA:
        (value,) = struct.unpack_from(">f", data, at)
        return ["float", struct.pack(">d", value).hex()], at + 4
    if 0xCC <= tag <= 0xCF:
        width = 1 << tag - 0xCC
        return ["int", str(number(data, at, width))], at + width
    if 0xD0 <= tag <= 0xD3:
        width = 1 << tag - 0xD0
        value = number(data, at, width)
        return ["int", str(value - (value >> 8 * width - 1 << 8 * width))], at + width
    if tag in (0xDC, 0xDD, 0xDE, 0xDF):
        width = 4 if tag & 1 else 2
        return (elements if tag < 0xDE else pairs)(data, at + width, number(data, at, width))
    if 0xD4 <= tag <= 0xD8:
        return extension(data, at, 1 << tag - 0xD4)
    first = next(first for first in (0xD9, 0xC7, 0xC4) if first <= tag < first + 3)
    width = 1 << tag - first
    length = number(data, at, width)
    at += width
    if first == 0xC7:
        return extension(data, at, length)
    return (plain if first == 0xC4 else text)(data[at : at + length]), at + length


def elements(data: bytes, at: int, count: int) -> tuple[Tree, int]:
    found = []
    for _ in range(count):
        value, at = read(data, at)
        found.append(value)
    return ["list", found], at


def pairs(data: bytes, at: int, count: int) -> tuple[Tree, int]:
    found = []
    for _ in range(count):
        key, at = read(data, at)
        value, at = read(data, at)
        found.append([key, value])
    return ["dict", found], at


def extension(data: bytes, at: int, length: int) -> tuple[Tree, int]:
    kind, content = data[at], data[at + 1 : at + 1 + length]
    end = at + 1 + length
    if kind in RAW:
        return ["raw", kind, content.hex()], end
    value, inner = read(content, 0)
    if kind not in TAIL:
        return ["one", kind, value], end
    gap = content[inner]
    return ["tail", kind, value, content[inner + 1 + gap :].hex()], end

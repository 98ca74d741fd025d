"""A second implementation of the key encoding, written from `docs/reference/keys.md` alone.

It encodes neutral values: the JSON form of `tests/vectors/keys.json`, each a list of a kind and its content.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from blake3 import blake3

Neutral = list[Any]


def key(value: Neutral) -> bytes:
    """The sealed encoding: one above 8 KiB is its digest."""
    body = encode(value)
    return body if len(body) <= 8192 else b"\xff" + varint(len(body)) + blake3(body).digest()


def encode(value: Neutral) -> bytes:
    kind, *content = value
    return ENCODERS[kind](*content)


def varint(number: int) -> bytes:
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def integer(decimal: str) -> bytes:
    number = int(decimal)
    base = 0x20 if number < 0 else 0x10
    magnitude = abs(number).to_bytes((abs(number).bit_length() + 7) // 8, "little")
    if len(magnitude) <= 8:
        return bytes([base + len(magnitude)]) + magnitude
    return bytes([base + 9]) + varint(len(magnitude)) + magnitude


def float_bits(bits: str) -> bytes:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    return bytes.fromhex("7ff8000000000000" if number != number else bits)


def content(plain: int, short: int, long: int, data: bytes) -> bytes:
    if len(data) <= short:
        return bytes([plain + len(data)]) + data
    if len(data) <= 1024:
        return bytes([long]) + varint(len(data)) + data
    return bytes([long + 1]) + varint(len(data)) + blake3(data).digest()


def text(data: bytes) -> bytes:
    return content(0x40, 47, 0x70, data)


def byte_string(data: bytes) -> bytes:
    return content(0x80, 31, 0xA0, data)


def byte_array(data: bytes) -> bytes:
    return content(0xA2, -1, 0xA2, data)


def repeat(kind: str, unit: str, count: int) -> bytes:
    return ENCODERS[kind](unit * count)


def sequence(base: int) -> Callable[..., bytes]:
    def encoder(*items: Neutral) -> bytes:
        head = bytes([base + len(items)]) if len(items) <= 14 else bytes([base + 15]) + varint(len(items))
        return head + b"".join(map(encode, items))

    return encoder


def unordered(tag: int) -> Callable[..., bytes]:
    def encoder(*items: Neutral) -> bytes:
        return bytes([tag]) + varint(len(items)) + b"".join(sorted(map(encode, items)))

    return encoder


def mapping(*pairs: tuple[Neutral, Neutral]) -> bytes:
    parts = sorted(encode(key) + encode(value) for key, value in pairs)
    return b"\xd2" + varint(len(parts)) + b"".join(parts)


def name(class_: list[str]) -> bytes:
    module, qualname = class_
    return text(module.encode()) + text(qualname.encode())


def record(class_: list[str], *fields: tuple[str, Neutral]) -> bytes:
    parts = [text(field.encode()) + encode(value) for field, value in fields]
    return b"\xe1" + name(class_) + varint(len(parts)) + b"".join(parts)


def nested(kind: str, depth: int) -> bytes:
    value: Neutral = [kind]
    for _ in range(depth - 1):
        value = [kind, value]
    return encode(value)


ENCODERS: dict[str, Callable[..., bytes]] = {
    "none": lambda: b"\x00",
    "bool": lambda value: b"\x02" if value else b"\x01",
    "ellipsis": lambda: b"\x05",
    "int": integer,
    "float": lambda bits: b"\x03" + float_bits(bits),
    "complex": lambda real, imag: b"\x04" + float_bits(real) + float_bits(imag),
    "str": lambda value: text(value.encode()),
    "text": lambda data: text(bytes.fromhex(data)),
    "bytes": lambda data: byte_string(bytes.fromhex(data)),
    "bytearray": lambda data: byte_array(bytes.fromhex(data)),
    "repeat": repeat,
    "nested": nested,
    "tuple": sequence(0xB0),
    "list": sequence(0xC0),
    "set": unordered(0xD0),
    "frozenset": unordered(0xD1),
    "dict": mapping,
    "known": lambda number, value: bytes([0xE0, number]) + encode(value),
    "record": record,
    "declared": lambda class_, value: b"\xe2" + name(class_) + encode(value),
    "class": lambda class_: b"\xe3" + name(class_),
    "member": lambda class_, value: b"\xe4" + name(class_) + encode(value),
    "flags": lambda class_, value: b"\xe5" + name(class_) + encode(value),
}

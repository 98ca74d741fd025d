"""What a stream of Arrow would unpack to, read from its heads before a library reads the stream.

The heads are flatbuffers. Streams are taken as our writers make them: not compressed, no bytes for two
buffers, and dictionaries that are whole. What a few bytes would become much of in memory is refused.
"""

from __future__ import annotations

import struct

from everwarm._format import Unfit

# What anything may unpack to: so many times its bytes, and a little that is always allowed.
TIMES, ALWAYS = 256, 1 << 16
# What a cell takes at least, as an element of a list.
_CELL = 8

_CONTINUATION = 0xFFFFFFFF
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3
_BINARY, _UTF8, _UNION, _LARGE_BINARY, _LARGE_UTF8 = 4, 5, 14, 19, 20
_RUNS, _BINARY_VIEW, _UTF8_VIEW, _LIST_VIEW, _LARGE_LIST_VIEW = 22, 23, 24, 25, 26
_TEXTS = {_BINARY, _UTF8, _LARGE_BINARY, _LARGE_UTF8, _BINARY_VIEW, _UTF8_VIEW}
# What many rows can share their bytes in.
_SHARING = {_RUNS, _LIST_VIEW, _LARGE_LIST_VIEW, _UNION}
_MOST_LEVELS = 64


def check_stream(content):
    """Refuses a stream that would unpack to more than its bytes may; `Unfit` or `ValueError`."""
    content = memoryview(content).cast("B")
    cells = 0
    for kind, head, size in _messages(content):
        if kind == _SCHEMA:
            continue
        if kind == _DICTIONARY:
            if head.number(2, "<?", False):
                raise Unfit("its dictionaries come in parts")
            head = head.table(1)
        elif kind != _BATCH:
            raise Unfit("it is no stream of tables")
        if head.at(3) is not None:
            raise Unfit("its bytes are compressed")
        lengths = head.pairs(1)[::2]
        rows = head.number(0, "<q", 0)
        used = head.pairs(2)[1::2]
        if min((rows, *lengths, *used)) < 0 or sum(used) > size:
            raise Unfit("its columns share their bytes")
        cells += rows + sum(lengths)
    if cells * _CELL > TIMES * len(content) + ALWAYS:
        raise Unfit("it has far more cells than bytes")


def check_dense(content, is_pandas):
    """Refuses a stream of columns that a frame has in full, and the stream has once for many rows."""
    for kind, head, _ in _messages(memoryview(content).cast("B")):
        if kind == _SCHEMA:
            for field in head.tables(1):
                _check_field(field, is_pandas, 0)


def _check_field(field, is_pandas, level):
    kind = field.number(2, "<B", 0)
    refused = _SHARING | {_BINARY_VIEW, _UTF8_VIEW} if is_pandas else _SHARING
    if kind in refused or level > _MOST_LEVELS:
        raise Unfit("the rows of a column would share their bytes")
    if field.at(4) is not None and (level or kind not in _TEXTS if not is_pandas else level):
        raise Unfit("the rows of a column would share their bytes")
    for child in field.tables(5):
        _check_field(child, is_pandas, level + 1)


def _messages(content):
    """The kind and head of each message, and how many bytes its body has."""
    at = 0
    while at < len(content):
        mark, length = struct.unpack_from("<Ii", content, at)
        if mark != _CONTINUATION or length < 0:
            raise ValueError("no stream")
        if length == 0:
            return
        at += 8
        if at + length > len(content):
            raise ValueError("no stream")
        data = content[at : at + length]
        message = _Table(data, struct.unpack_from("<I", data)[0])
        size = message.number(3, "<q", 0)
        at += length + size
        if size < 0 or at > len(content):
            raise ValueError("no stream")
        yield message.number(1, "<B", 0), message.table(2), size


class _Table:
    """A table of a flatbuffer: its fields by their numbers."""

    def __init__(self, data, place):
        self.data, self.place = data, place
        self.fields = place - self._read("<i", place)
        self.size = self._read("<H", self.fields)

    def _read(self, form, place):
        # A place before the start would be one from the end.
        if not 0 <= place <= len(self.data):
            raise ValueError("no stream")
        return struct.unpack_from(form, self.data, place)[0]

    def at(self, number):
        """Where a field is; None where the table has none."""
        entry = 4 + 2 * number
        if entry + 2 > self.size:
            return None
        offset = self._read("<H", self.fields + entry)
        return self.place + offset if offset else None

    def number(self, number, form, default):
        place = self.at(number)
        return default if place is None else self._read(form, place)

    def _follow(self, place):
        return place + self._read("<I", place)

    def table(self, number):
        place = self.at(number)
        if place is None:
            raise ValueError("no stream")
        return _Table(self.data, self._follow(place))

    def _vector(self, number):
        place = self.at(number)
        if place is None:
            return 0, 0
        place = self._follow(place)
        return place + 4, self._read("<I", place)

    def tables(self, number):
        place, count = self._vector(number)
        for each in range(count):
            yield _Table(self.data, self._follow(place + 4 * each))

    def pairs(self, number):
        """The numbers of a vector of structures of two."""
        place, count = self._vector(number)
        if place + 16 * count > len(self.data):
            raise ValueError("no stream")
        return struct.unpack_from(f"<{2 * count}q", self.data, place)

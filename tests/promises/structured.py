"""A strict reader of structured fields (RFC 8941): a list of items with parameters, or ValueError."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+\-.^_`|~:/]*")
_KEY = re.compile(r"[a-z*][a-z0-9_\-.*]*")
_TEXT = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")


class Token(str):
    """A token, as opposed to a text."""

    __slots__ = ()


def read(field):
    """The members of a list, each as its item and a dict of its parameters."""
    members, at = [], 0
    while True:
        item, at = _item(field, at)
        parameters = {}
        while field[at : at + 1] == ";":
            at = _matched(re.compile(" *"), field, at + 1).end()
            key = _matched(_KEY, field, at)
            at = key.end()
            value = True
            if field[at : at + 1] == "=":
                value, at = _item(field, at + 1)
            if key[0] in parameters:
                raise ValueError(f"{key[0]} comes twice")
            parameters[key[0]] = value
        members.append((item, parameters))
        if at == len(field):
            return members
        at = _matched(re.compile("[ \t]*,[ \t]*"), field, at).end()


def _item(field, at):
    first = field[at : at + 1]
    if first == '"':
        found = _matched(_TEXT, field, at)
        return re.sub(r"\\(.)", r"\1", found[1]), found.end()
    if first == "-" or first.isdigit():
        found = _matched(_INTEGER, field, at)
        return int(found[0]), found.end()
    found = _matched(_TOKEN, field, at)
    return Token(found[0]), found.end()


def _matched(pattern, field, at):
    found = pattern.match(field, at)
    if found is None:
        raise ValueError(f"{field!r} at {at}")
    return found

"""Formats written in Python: the suite finds what is wrong with one, with each promise broken by a fault."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass

import everwarm
import pytest
from everwarm.testing import conformance

VALUES = [None, True, 7, -1.5, "ä", [1, ["a"]], {"b": [None, 2.5]}]


class Careful:
    """JSON of what JSON gives back, and nothing else."""

    name = "careful"

    @staticmethod
    def dumps(value):
        data = json.dumps(value).encode()
        if Careful.typed(json.loads(data)) != Careful.typed(value):
            raise ValueError("JSON gives it back as another")
        return data

    @staticmethod
    def loads(data):
        return json.loads(data)

    @staticmethod
    def typed(value):
        if type(value) is list:
            return [Careful.typed(part) for part in value]
        if type(value) is dict:
            return {(type(key), key): Careful.typed(part) for key, part in value.items()}
        return type(value), value


class Evaluates(Careful):
    @staticmethod
    def loads(data):
        return eval(data, {"null": None, "true": True, "false": False})


class Exits(Careful):
    @staticmethod
    def loads(data):
        try:
            return json.loads(data)
        except ValueError:
            raise SystemExit(1) from None


class Shares(Careful):
    """It keeps what it is at where all threads find it."""

    @staticmethod
    def dumps(value):
        Shares.data = b""
        for byte in Careful.dumps(value):
            Shares.data += bytes([byte])
        return Shares.data


class Rounds(Careful):
    @staticmethod
    def loads(data):
        value = json.loads(data)
        return int(value) if type(value) is float else value


@pytest.mark.parametrize("name", conformance.promises("format"))
@pytest.mark.parametrize("format", ["msgpack", "json", Careful])
def test_a_format_keeps(format, name):
    assert conformance.format_outcome(format, VALUES, name) is None


@pytest.mark.parametrize(
    ("format", "name", "said"),
    [
        (Rounds, "a_value_comes_back_as_it_was", r"values\[3\], a float, comes back as another int"),
        (
            (lambda value: json.dumps(value).encode(), json.loads),
            "what_cannot_come_back_is_refused",
            r"\(1, 2\) \(tuple\) comes back as \[1, 2\] \(list\): let `dumps` refuse it",
        ),
        (Exits, "any_bytes_are_refused_in_peace", "bytes of nobody's raise SystemExit"),
        (Evaluates, "bytes_run_no_code", "ran code of whoever wrote them"),
        ((pickle.dumps, pickle.loads), "bytes_run_no_code", "ran code of whoever wrote them"),
    ],
)
def test_planted_faults_are_found(format, name, said):
    with pytest.raises(
        AssertionError, match=f"^1 promises of the format are broken\nformat::{name}: .*{said}"
    ):
        conformance.check_format(format, VALUES, only=f"format::{name}")


def test_a_format_that_threads_share_is_found(monkeypatch):
    import sys

    between = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        name = "format::threads_do_not_disturb_each_other"
        assert any(isinstance(conformance.format_outcome(Shares, VALUES, name), str) for _ in range(50))
    finally:
        sys.setswitchinterval(between)


@dataclass
class Price:
    amount: int


def test_classes_are_those_of_the_annotation():
    conformance.check_format("msgpack", [Price(3), [Price(4)]], annotation=list[Price])
    with pytest.raises(AssertionError, match=r"values\[0\], a Price, is refused"):
        conformance.check_format("msgpack", [Price(3)])


def test_pickles_are_authenticated_before():
    assert conformance.format_outcome("pickle", [{1}], "format::bytes_run_no_code") is False
    conformance.check_format("pickle", [{1}, Price(3)], only="format::a_value_comes_back_as_it_was")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jsno", [1]), 'no format "jsno"\nhint: '),
        (("json", []), "no value to check the format with\nhint: "),
        ((3, [1]), "no `dumps` and `loads`"),
    ],
)
def test_what_cannot_be_checked_is_refused(arguments, said):
    with pytest.raises(everwarm.ConfigError, match=said):
        conformance.check_format(*arguments)
    with pytest.raises(
        everwarm.ConfigError,
        match="no promise 'format::bytes_run_code'\nhint: did you mean \"format::bytes_run_no",
    ):
        conformance.check_format("json", [1], only="format::bytes_run_code")

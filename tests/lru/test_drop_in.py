"""The running interpreter's own tests of ``functools.lru_cache``, with ours in its place."""

from __future__ import annotations

import functools
import types
import unittest

import pytest
from conftest import loud_skip
from everwarm import lru_cache

try:
    from test import test_functools
except ImportError:
    loud_skip("this interpreter comes without its `test` package")

# What is meant to be otherwise, with the reason.
DIFFERENT = {
    "test_lru_bug_35780": "a call asks for its own key: ours raises Recursion, as it would wait for itself",
    "test_lru_cache_threaded2": "threads compute one key at once: with ours one does, and the others wait",
}

module = types.SimpleNamespace(**{**vars(functools), "lru_cache": lru_cache})


@lru_cache()
def cached_function(x, y):
    return 3 * x + y


class Ours(test_functools.TestLRU, unittest.TestCase):
    __test__ = False  # pytest runs each by name, below
    module = module
    cached_func = (cached_function,)

    @lru_cache()
    def cached_meth(self, x, y):
        return 3 * x + y

    @staticmethod
    @lru_cache()
    def cached_staticmeth(x, y):
        return 3 * x + y


NAMES = unittest.TestLoader().getTestCaseNames(Ours)


def test_what_differs_is_there():
    assert set(NAMES) >= DIFFERENT.keys() and len(NAMES) > 20


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DIFFERENT])
def test_it_does_what_functools_does(name):
    result = unittest.TestResult()
    Ours(name).run(result)
    assert [told for _, told in result.errors + result.failures] == []

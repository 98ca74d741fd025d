"""Loads modules of our own for the native side, whatever Python code runs.

An import asks the globals of the code that runs for ``__import__``; code that runs with none cannot import.
"""

from __future__ import annotations

import sys


def load(name):
    """The module of this name."""
    __import__(name)
    return sys.modules[name]

"""Loads modules of our own for the native side, whatever Python code runs."""

from types import ModuleType

def load(name: str) -> ModuleType: ...

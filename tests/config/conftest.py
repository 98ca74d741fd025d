"""Each test here finds a process that was told nothing, and a default cache that was not used."""

from __future__ import annotations

import os

import everwarm
import pytest
from everwarm import _config


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("EVERWARM_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    before = _config.configured()
    _config.restore({})
    everwarm.cache._leave()
    yield
    _config.restore(before)
    everwarm.cache._leave()


@pytest.fixture
def project(tmp_path):
    """Writes a project file, and stands below it."""

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text)
        _config.restore(_config.configured())

    return write

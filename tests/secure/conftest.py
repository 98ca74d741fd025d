"""Each test here has a home of its own, where keys of users lie, and a directory for stores."""

from __future__ import annotations

import logging
import os

import pytest
from everwarm import _report


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith("EVERWARM_"):
            monkeypatch.delenv(name)
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    _report._said.clear()
    _report._refused.clear()
    return place


@pytest.fixture
def place(tmp_path):
    """Where stores lie."""
    made = tmp_path / "stores"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture(params=["disk", "file"])
def url(request, place):
    return f"{request.param}://{place / request.param}"


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.DEBUG)
    return caplog

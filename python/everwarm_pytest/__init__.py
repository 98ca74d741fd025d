"""The pytest plugin of Everwarm: each test finds the default cache as if it had not been used.

A package of its own, so that a test session in which nothing imports everwarm does not either.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from everwarm.testing import ManualClock

__all__ = [
    "everwarm_clock",
    "everwarm_disk",
    "everwarm_promise",
    "pytest_configure",
    "pytest_generate_tests",
]

_SHARED = "everwarm_shared"


def pytest_configure(config: pytest.Config) -> None:
    """Says what the marker means."""
    config.addinivalue_line(
        "markers", f"{_SHARED}: finds the default cache as the test before has left it, and leaves it so"
    )


@pytest.fixture(autouse=True)
def _everwarm_isolated(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.node.get_closest_marker(_SHARED) is not None:
        yield
        return
    # What was configured before the first test is meant for all of them.
    configured = _fresh() if "everwarm" in sys.modules else {}
    yield
    if "everwarm" in sys.modules:
        _fresh(configured)


def _fresh(configured: dict[str, Any] | None = None) -> dict[str, Any]:
    """Has the default cache be as if it had not been used; gives what was configured."""
    from everwarm import _config, cache

    before = _config.configured()
    _config.restore(before if configured is None else configured)
    cache._leave()
    return before


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Makes a test of each promise of stores, where a test asks for ``everwarm_promise``."""
    if "everwarm_promise" in metafunc.fixturenames:
        from everwarm.testing import conformance

        metafunc.parametrize("everwarm_promise", conformance.promises(), indirect=True)


@pytest.fixture
def everwarm_promise(request: pytest.FixtureRequest) -> Callable[[Callable[..., Any]], None]:
    """One promise of stores: called with what opens a store, it fails if the promise is broken."""

    def hold(open: Callable[..., Any]) -> None:
        __tracebackhide__ = True
        from everwarm.testing import conformance

        kept = conformance.outcome(open, request.param)
        if kept is False:
            pytest.skip("the store does not offer this facet")
        if kept is not None:
            pytest.fail(f"{request.param} is broken: {kept}", pytrace=False)

    return hold


@pytest.fixture
def everwarm_clock(_everwarm_isolated: None) -> Iterator[ManualClock]:
    """A ``ManualClock`` that the default cache reads; it follows freezegun and time-machine."""
    from everwarm.testing import ManualClock, clock, follow

    with clock(ManualClock()) as hand, follow(hand):
        yield hand


@pytest.fixture
def everwarm_disk(tmp_path: Path) -> str:
    """The URL of a ``disk:`` store of the test's own: no other test has it, and no other worker of xdist."""
    return f"disk://{tmp_path.as_posix()}/everwarm"

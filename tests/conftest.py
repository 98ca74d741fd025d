"""What every test of the project shares: markers, hypothesis profiles, skips that CI does not overlook."""

import json
import os
import signal
from typing import NoReturn

import hypothesis
import pytest
import servers  # noqa: F401 - takes what is no setting out of the environment

IN_CI = bool(os.environ.get("CI"))

# Set where only pytest and hypothesis are installed: on every interpreter but the first.
CORE_ONLY = bool(os.environ.get("TESTS_CORE_ONLY"))

# Where a test is run, by marker.
MARKERS = {
    "once": "says nothing about the interpreter: runs on the first one only",
    "libraries": "needs third-party libraries: runs on the first interpreter only",
}

hypothesis.settings.register_profile("dev", max_examples=50, deadline=None)
# Examples are many on the first interpreter, and enough on the others to find what differs there.
hypothesis.settings.register_profile(
    "ci",
    max_examples=100 if CORE_ONLY else 500,
    deadline=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("ci" if IN_CI else "dev")


def loud_skip(reason: str) -> NoReturn:
    """Skips the running test, or the module being imported; fails in CI, where nothing may be missing."""
    __tracebackhide__ = True
    if IN_CI and not CORE_ONLY:
        pytest.fail(f"CI must run this: {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


# What chance finds once is found: where CI runs failed tests again, it leaves these and those of hypothesis.
CHANCE = "chance: tries what chance brings, and is not run again where it fails"


def pytest_configure(config: pytest.Config) -> None:
    # A shell starts background jobs deaf to interrupts; the processes that tests start would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    config.addinivalue_line("markers", CHANCE)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("reruns", None):
        for item in items:
            if item.get_closest_marker("chance") or item.get_closest_marker("hypothesis"):
                item.add_marker(pytest.mark.flaky(reruns=0))
    if not CORE_ONLY:
        return
    elsewhere = [item for item in items if any(item.get_closest_marker(name) for name in MARKERS)]
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in set(elsewhere)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows how tests failed that passed when they were run again."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.section(f"RERUN {report.nodeid}", sep="_")
        terminalreporter.write_line(report.longreprtext)


@pytest.fixture
def clock():
    """A clock that stands still until the test moves it."""
    from everwarm.testing import ManualClock

    return ManualClock()


@pytest.fixture
def cache(clock):
    """A cache in memory that reads it; folders whose caches have stores say so themselves."""
    from everwarm import Cache

    return Cache(clock=clock)


@pytest.fixture
def ran(request):
    """Says which scenario ran, and how far; the file that ``SCENARIOS_LOG`` names gets a line of JSON."""

    def ran(scenario, figure, **measured):
        told = {name: round(value, 3) for name, value in measured.items()}
        print(f"{scenario}: {figure}, {told}")
        if os.environ.get("SCENARIOS_LOG"):
            with open(os.environ["SCENARIOS_LOG"], "a") as log:
                line = {"scenario": scenario, "figure": figure, "test": request.node.name, **told}
                log.write(json.dumps(line) + "\n")

    return ran

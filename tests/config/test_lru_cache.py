"""``lru_cache`` does what that of ``functools`` does, whatever is configured."""

from __future__ import annotations

import contextlib

import pytest
from everwarm import ConfigError, configure, disabled, lru_cache

CONFIGURED = {
    "TTL": "0.05",
    "MAX_BYTES": "2kB",
    "MAX_ENTRIES": "1",
    "EVICTION": "fifo",
    "NAMESPACE": "shop",
    "URL": "disk:",
    "KEY": "8f1c2e0b7a9d4453c6e1f2037b8a99d5e4c3b2a1908f7e6d5c4b3a2918070605",
    "FOO": "1",
}


@lru_cache(maxsize=3)
def twice(number):
    return b"." * 1_000 * number


@pytest.fixture(autouse=True)
def not_used_yet():
    twice._cache._leave()


def assert_it_does_what_functools_does(caplog):
    kept = [twice(1), twice(2), twice(3)]
    assert [twice(1), twice(2), twice(3)] == kept and twice(1) is kept[0]
    counters = twice.stats()
    assert (counters.hits, counters.misses, counters.entries) == (4, 3, 3)
    twice(4)
    assert twice.peek(2) is None, "the least recently used one"
    told = twice.explain(1)
    assert told.ttl is None and told.tiers == ("memory",) and "shop" not in told.key
    assert not caplog.records


@pytest.mark.parametrize("variable", CONFIGURED)
def test_no_variable_changes_it(variable, monkeypatch, caplog):
    monkeypatch.setenv(f"EVERWARM_{variable}", CONFIGURED[variable])
    assert_it_does_what_functools_does(caplog)
    lru_cache(len)


def test_configure_does_not_change_it(caplog):
    configure(stores="disk:", ttl=0.05, max_entries=1, max_bytes="2kB", namespace="shop")
    assert_it_does_what_functools_does(caplog)
    assert twice._cache.describe()["ttl"].source == "default"


def test_no_project_file_changes_it(project, caplog):
    project('[tool.everwarm]\nttl = "never"\nfoo = 1\n')
    assert_it_does_what_functools_does(caplog)
    lru_cache(len)


@pytest.mark.parametrize("way", ["environment", "configure", "block"])
def test_it_is_disabled_with_all_others(way, monkeypatch):
    with contextlib.ExitStack() as stack:
        if way == "environment":
            monkeypatch.setenv("EVERWARM_DISABLED", "1")
        elif way == "configure":
            configure(disabled=True)
        else:
            stack.enter_context(disabled())
        numbers = iter(range(10))
        number = lru_cache(lambda: next(numbers))
        assert (number(), number()) == (0, 1) and number.stats().bypass == 2


def test_a_switch_that_cannot_be_meant_is_refused(monkeypatch):
    monkeypatch.setenv("EVERWARM_DISABLED", "perhaps")
    with pytest.raises(ConfigError, match="environment EVERWARM_DISABLED"):
        twice(1)

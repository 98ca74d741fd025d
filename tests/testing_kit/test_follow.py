"""A manual clock follows freezegun and time-machine, whichever sets the time of a test."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache
from everwarm.testing import ManualClock, follow

freezegun = pytest.importorskip("freezegun", reason="the clock follows freezegun where it is installed")
time_machine = pytest.importorskip(
    "time_machine", reason="the clock follows time-machine where it is installed"
)


@pytest.fixture
def clock():
    with follow(ManualClock()) as hand:
        yield hand


@pytest.fixture
def cache(clock):
    made = Cache(clock=clock)
    made.set("a", 1, ttl="1m")
    return made


def test_it_moves_as_freezegun_moves(cache, clock):
    with freezegun.freeze_time("2012-01-14 03:21:34") as frozen:
        frozen.tick(59)
        assert cache.get("a") == 1
        frozen.move_to("2012-01-14 03:22:34")
        assert cache.get("a") is None and clock.now == 60
        frozen.tick(-30)
        assert clock.now == 60, "time that is set back stands still"
    assert clock.now == 60, "the end of a freeze is no time that has passed"


def test_it_moves_as_time_machine_moves(cache, clock):
    with time_machine.travel(0, tick=False) as traveller:
        traveller.shift(59)
        assert cache.get("a") == 1
        traveller.move_to(60)
        assert cache.get("a") is None and clock.now == 60


def test_time_that_runs_on_is_looked_at(clock):
    with freezegun.freeze_time("2012-01-14", tick=True):
        until = time.perf_counter_ns() + 5_000_000_000
        while clock.now < 0.05 and time.perf_counter_ns() < until:
            pass
    assert clock.now >= 0.05


def test_further_freezes_add_up(clock):
    for day in ("2012-01-14", "2001-01-01"):
        with freezegun.freeze_time(day) as frozen:
            frozen.tick(5)
    assert clock.now == 10


def test_nothing_is_left_behind():
    before = freezegun.api.FrozenDateTimeFactory.tick, time_machine.Traveller.shift
    with follow(ManualClock()):
        assert freezegun.api.FrozenDateTimeFactory.tick is not before[0]
    assert before == (freezegun.api.FrozenDateTimeFactory.tick, time_machine.Traveller.shift)

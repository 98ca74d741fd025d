"""Timed refresh: what is in use is computed anew as time goes by, by one process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextvars import ContextVar

import pytest
from everwarm import Cache, ConfigError, Policy, _timed
from everwarm.testing import run_due
from own_store import OwnStore
from worlds import PATIENCE, until

pytestmark = pytest.mark.once

EVERY = Policy(ttl=60, refresh_every=20)


@pytest.fixture
def cache(clock):
    with Cache(clock=clock) as cache:
        yield cache


@pytest.fixture
def rates(world, cache, source):
    @world.cached(cache(EVERY))
    def rates(currency):
        return source(currency)

    assert world.call(rates, "a") == 1
    return rates


@pytest.mark.proves("Policy.refresh_every")
def test_what_was_read_is_computed_anew_without_a_call(world, cache, clock, source, rates):
    for number in (1, 2, 3):
        assert world.call(rates, "a") == number
        clock.advance(19)
        assert run_due(cache) == 0
        clock.advance(1)
        assert run_due(cache) == 1
        until(lambda number=number: rates.peek("a").value == number + 1)
    assert rates.peek("a").age == 0
    stats = rates.stats()
    assert (stats.calls, stats.misses, stats.hits) == (4, 1, 3)
    assert (stats.computations, stats.refreshes) == (4, 3)


def test_what_was_not_read_falls_out(world, cache, clock, source, rates):
    assert world.call(rates, "a") == 1
    clock.advance(20)
    assert run_due(cache) == 1
    until(lambda: rates.peek("a").value == 2)
    clock.advance(20)
    assert run_due(cache) == 0
    clock.advance(39)
    assert rates.peek("a").value == 2
    clock.advance(1)
    assert rates.peek("a") is None and source.asked == 2


def test_one_note_for_many_reads(world, cache, clock, source, rates):
    for _ in range(10):
        assert world.call(rates, "a") == 1
    clock.advance(20)
    assert run_due(cache) == 1
    until(lambda: source.asked == 2)


def test_a_call_after_the_time_finds_it_due(world, cache, clock, source, rates):
    clock.advance(30)
    assert world.call(rates, "a") == 1
    until(lambda: rates.peek("a").value == 2)
    assert run_due(cache) == 0


def test_a_failure_keeps_the_value_and_the_next_call_tries_again(world, cache, clock, source, rates):
    assert world.call(rates, "a") == 1
    source.error = ValueError("no")
    clock.advance(20)
    assert run_due(cache) == 1
    until(lambda: source.asked == 2)
    source.error = None

    def is_there():
        clock.advance(0.5)
        return world.call(rates, "a") == 3

    until(is_there)
    assert rates.stats().misses == 1


def test_what_was_invalidated_is_not_brought_back_early(world, cache, clock, source, rates):
    assert world.call(rates, "a") == 1
    clock.advance(10)
    rates.invalidate("a")
    assert world.call(rates, "a") == 2
    clock.advance(10)
    assert run_due(cache) == 1
    assert source.asked == 2, "what is there is younger than that"


def test_keys_are_bounded_and_go_with_their_cache(clock):
    cache = Cache(clock=clock)

    @cache(EVERY)
    def rates(number):
        return number

    for number in range(_timed.MOST + 10):
        assert rates(number) == rates(number)
    assert len(_timed._timer.calls[cache]) == _timed.MOST
    cache.close()
    assert cache not in _timed._timer.calls


def test_the_thread_sees_to_it(world, source):
    with Cache() as cache:

        @world.cached(cache(ttl=30, refresh_every=0.1))
        def rates(currency):
            return source(currency)

        assert world.call(rates, "a") == 1
        assert world.call(rates, "a") == 1
        until(lambda: rates.peek("a").value == 2)
        assert rates.stats().calls == 2
    until(lambda: cache not in _timed._timer.calls)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"ttl": None}, "refresh_every does nothing without a ttl"),
        ({"ttl": 20}, "no shorter than the ttl"),
        ({"ttl": 60, "refresh_ahead": 0.5}, "two times"),
        ({"ttl": 60, "sliding": True}, "refresh_every replaces"),
        ({"ttl": 60, "refresh_every": -1}, "is negative"),
    ],
)
def test_what_cannot_be_meant_is_refused(keywords, message):
    with pytest.raises(ConfigError, match=message) as refused:
        Policy(**{"refresh_every": 20, **keywords})
    assert "\nhint: " in str(refused.value)


def test_generators_are_refused():
    with pytest.raises(ConfigError, match="refresh_every is not for generators"):

        @Cache()(EVERY)
        def numbers():
            yield 1


def test_of_several_processes_one_computes(world, tmp_path, source):
    caches = [Cache(["memory://", f"disk://{tmp_path}/store"], namespace="shop") for _ in range(2)]

    def of(cache):
        @world.cached(cache(ttl=60, refresh_every=1.5, name="rates"))
        def rates(currency):
            time.sleep(0.05)
            return source(currency)

        return rates

    one, other = map(of, caches)
    try:
        for function in one, other, one, other:
            assert world.call(function, "a") == 1
        assert all(len(_timed._timer.calls[cache]) == 1 for cache in caches)
        until(lambda: not any(cache in _timed._timer.calls for cache in caches))

        until(lambda: 2 in (one.peek("a").value, other.peek("a").value))
        assert source.asked == 2
        # Who was not elected asks the store again.
        until(lambda: world.call(one, "a") == world.call(other, "a") == 2)
        assert source.asked == 2
    finally:
        for cache in caches:
            cache.close()


class LateStore(OwnStore):
    """A store by whose clock each entry is somewhat younger than by that of who made it."""

    def get(self, name):
        found = super().get(name)
        return found and (found[0], found[1] + 0.1)


def test_what_the_store_takes_for_younger_is_no_newer_value(world, source):
    with Cache(["memory://", LateStore()]) as cache:

        @world.cached(cache(ttl=60, refresh_every=0.4, name="rates"))
        def rates(currency):
            return source(currency)

        assert world.call(rates, "a") == 1
        assert world.call(rates, "a") == 1
        until(lambda: rates.peek("a").value == 2)


PROCESS = """
import os, sys, time
from everwarm import Cache

with Cache(["memory://", "disk://" + sys.argv[1] + "/store"], namespace="shop") as shop:

    @shop(ttl=60, refresh_every=1, name="rates")
    def rates(currency):
        with open(sys.argv[1] + "/computed", "a") as file:
            file.write("x")
        time.sleep(0.1)
        return currency

    sys.stdout.write("ready")
    sys.stdout.flush()
    sys.stdin.read(1)
    rates("a"), rates("a")
    sys.stdin.read(1)
"""


def test_of_processes_on_one_directory_one_is_elected(tmp_path):
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen(command, **pipes) for _ in range(3)]
    computed = tmp_path / "computed"
    try:
        assert [process.stdout.read(5) for process in processes] == [b"ready"] * 3
        for process in processes:
            process.stdin.write(b"b")
            process.stdin.flush()
        until(lambda: computed.exists() and len(computed.read_text()) > 1)
        # The others' time has come, too, by the time the last of them has taken note.
        time.sleep(0.7)
        assert computed.read_text() == "xx"
    finally:
        for process in processes:
            process.communicate(b"e", timeout=20)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_goes_on(source):
    with Cache() as cache:

        @cache(ttl=60, refresh_every=0.3)
        def rates(currency):
            return source(currency)

        assert rates("a") == rates("a") == 1
        child = os.fork()
        if child == 0:
            deadline = time.monotonic() + 10
            while rates.peek("a").value == 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            os._exit(0 if rates.peek("a").value == 2 else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0


def test_what_a_tenant_reads_is_computed_anew_for_that_tenant(world, clock, source):
    tenant = ContextVar("tenant")
    with Cache(tenant=tenant, clock=clock) as cache:

        @world.cached(cache(EVERY))
        def rates(currency):
            return tenant.get(), source(currency)

        def of(name):
            tenant.set(name)
            return rates("a"), rates("a")

        async def awaited(name):
            tenant.set(name)
            return await rates("a"), await rates("a")

        asked = awaited if world.is_async else of
        for name in ("ann", "bob"):
            found = world.run(lambda name=name: asked(name)).result(PATIENCE)
            assert found[0] == found[1] and found[0][0] == name
        clock.advance(20)
        assert run_due(cache) == 2
        source.is_asked(4)

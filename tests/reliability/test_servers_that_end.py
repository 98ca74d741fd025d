"""N2, N3: a server is killed and started again, frozen, or says nothing more, time and again, under load."""

from __future__ import annotations

import random
import statistics

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from load import Load, nothing_is_left

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

SEED = 1
TIMES = 20
# How long an operation may take, and what a loaded machine is given on top. A call asks for up to three, of
# which each ends within its time, as the usual round has to show. A single call may take longer.
OPERATION, LOADED = 0.05, 0.1
# What a lease lasts that nobody gives back, and is waited for by others, is far more than any call takes.
LEASE = 5.0
# All is looked at after each fifth time.
LOOKED_AT = range(4, TIMES, 5)


def figure(memory):
    return f"{TIMES // 2} times {'with' if memory else 'without'} memory"


def cache_on(url, memory):
    return Cache(["memory://", url] if memory else [url], namespace="shop")


@pytest.mark.parametrize("memory", [False, True], ids=["bare", "memory"])
def test_a_server_that_is_killed_and_started_again(server, memory, ran):
    draw, recoveries = random.Random(SEED), []
    with nothing_is_left(server.url):
        cache = cache_on(server.url, memory)
        with Load(cache, SEED) as load:
            for time in range(TIMES // 2):
                load.goes_on(draw.random() / 5)
                server.kill()
                load.goes_on(draw.random() / 5)
                server.start()
                if time in LOOKED_AT:
                    recoveries.append(load.recovers())
        errors = cache.tiers()[-1].errors
        assert set(errors) <= {"transient", "timeout"} and errors
        ran("N2", figure(memory), seed=SEED, slowest=load.slowest, recovery=max(recoveries))
        assert load.slowest < 0.8 * LEASE
        cache.close()


@pytest.mark.parametrize("memory", [False, True], ids=["bare", "memory"])
def test_a_server_that_says_nothing_more(server, memory, ran):
    draw, recoveries, slowest = random.Random(SEED), [], []
    with nothing_is_left(server.url), FaultProxy(server.url, seed=SEED) as proxy:
        ways = {
            "frozen": (server.freeze, server.thaw),
            "half-open": (proxy.half_open, proxy.calm),
            "one stuck socket": (lambda: proxy.half_open(times=1), proxy.calm),
        }
        cache = cache_on(proxy.url, memory)
        with Load(cache, SEED) as load:
            for time in range(TIMES // 2):
                load.goes_on(draw.random() / 5)
                load.slowest = 0.0
                begin, end = draw.choice(list(ways.values()))
                begin()
                load.goes_on(draw.random() / 3)
                end()
                slowest.append(load.slowest)
                if time in LOOKED_AT:
                    recoveries.append(load.recovers())
            load.slowest = max(*slowest, load.slowest)
        errors = cache.tiers()[-1].errors
        assert set(errors) <= {"transient", "timeout"} and errors
        usual = statistics.median(slowest)
        ran("N3", figure(memory), seed=SEED, slowest=load.slowest, usual=usual, recovery=max(recoveries))
        assert usual <= 3 * OPERATION + LOADED, slowest
        cache.close()

"""L: mixed load on Redis while something else fails every so often.

No value is ever wrong, and nothing is raised. ``SOAK_SECONDS`` makes a run longer, ``SOAK_SEED`` another one.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from everwarm import Cache
from everwarm.testing import FaultProxy
from load import Load, nothing_is_left

pytestmark = [pytest.mark.once, pytest.mark.timeout(600)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "20"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
BEAT = 1.0


def honest(proxy, server, draw):
    """Puts one fault in force after which bytes are what they were, or do not come."""
    draw.choice(
        [
            lambda: proxy.delay(0.02, jitter=0.02),
            lambda: proxy.delay(0.2, chance=0.1),
            lambda: proxy.bandwidth(20_000),
            lambda: proxy.slices(),
            lambda: proxy.truncate(chance=0.05),
            lambda: proxy.freeze(),
            lambda: proxy.half_open(chance=0.05),
            lambda: proxy.reset(chance=0.05),
            lambda: proxy.cut(draw.randrange(5_000, 50_000)),
            lambda: proxy.refuse(),
            lambda: proxy.hang(chance=0.5),
            lambda: server.freeze(),
            lambda: (server.kill(), server.start()),
        ]
    )()
    if draw.random() < 0.25:
        proxy.disconnect()


def damaging(proxy, server, draw):
    """The same, or one that changes bytes, or the places of two replies."""
    damage = [lambda: proxy.corrupt(chance=0.05), lambda: proxy.swap(chance=0.2)]
    draw.choice([*damage, lambda: honest(proxy, server, draw)])()


@pytest.mark.parametrize(
    ("memory", "faults", "part"),
    [(False, honest, 4), (True, damaging, 4), (True, honest, 1)],
    ids=["bare", "damaged", "memory"],
)
def test_no_value_is_ever_wrong(server, memory, faults, part, ran):
    draw, seconds = random.Random(SEED), SECONDS / part
    with nothing_is_left(server.url), FaultProxy(server.url, seed=SEED) as proxy:
        cache = Cache(["memory://", proxy.url] if memory else [proxy.url], namespace="soak")
        with Load(cache, SEED, current=faults is honest) as load:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                faults(proxy, server, draw)
                # Much happens within a second to a cache that asks by each call.
                load.goes_on(BEAT if memory else BEAT / 4)
                server.thaw()
                if draw.random() < 0.7:
                    proxy.calm()
            proxy.calm()
            took = load.recovers()
        befallen = {name: proxy.count(name) for name in {deed.fault for deed in proxy.log()}}
        kind = (
            f"{'with' if memory else 'without'} memory{', damaged bytes too' if faults is damaging else ''}"
        )
        figure = f"{seconds:g} s, {load.answers / seconds:.0f} calls/s, {kind}"
        ran("L", figure, seed=SEED, slowest=load.slowest, recovery=took)
        print(befallen, cache.tiers()[-1].errors)
        assert load.answers > 100 and befallen
        cache.close()

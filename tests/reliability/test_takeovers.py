"""R1, R2, R3: masters that die under load, of sentinels and of a cluster, and slots that move."""

from __future__ import annotations

import time

import pytest
from everwarm import Cache
from load import Load, nothing_is_left
from slots import Move, is_settled, masters
from worlds import until

pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]

SEED = 1
TIMES = 3
SLOTS = 4


class Failing:
    """A load, and what was measured of its recoveries."""

    def __init__(self, url, ran):
        self._ran, self.recoveries = ran, []
        self.cache = Cache([url], namespace="shop")
        self.load = Load(self.cache, SEED)

    def end(self, scenario, figure):
        errors = self.cache.tiers()[-1].errors
        assert set(errors) <= {"transient", "timeout"}, errors
        recovery, slowest = max(self.recoveries), self.load.slowest
        self._ran(scenario, figure, seed=SEED, slowest=slowest, recovery=recovery)
        self.cache.close()


def test_the_master_that_sentinels_watch_dies(sentinel, server, ran):
    def master():
        told = sentinel.say(sentinel.ports[0], "sentinel", "get-master-addr-by-name", "everwarm")
        return int(told.split()[1])

    def has_heir():
        told = sentinel.say(sentinel.ports[0], "sentinel", "master", "everwarm").split("\n")
        of = dict(zip(told[::2], told[1::2], strict=True))
        return of["flags"] == "master" and "state=online" in sentinel.say(master(), "info", "replication")

    with nothing_is_left(server.url):
        failing = Failing(sentinel.url, ran)
        with failing.load as load:
            for _ in range(TIMES):
                until(has_heir)
                load.recovers()
                dead = master()
                sentinel.kill(dead)
                until(lambda dead=dead: master() != dead)
                failing.recoveries.append(load.recovers())
                sentinel.again(dead)
        failing.end("R1", f"{TIMES} masters")
    until(has_heir)


def test_a_master_of_a_cluster_dies(cluster, server, ran):
    def is_ok(dead=None):
        port = next(port for port in cluster.ports if port != dead)
        told = cluster.say(port, "cluster", "info")
        return "cluster_state:ok" in told and dead not in masters(cluster, port)

    with nothing_is_left(server.url):
        failing = Failing(cluster.url, ran)
        with failing.load as load:
            for dead in sorted(masters(cluster, cluster.ports[0]))[:TIMES]:
                load.recovers()
                cluster.kill(dead)
                until(lambda dead=dead: is_ok(dead))
                failing.recoveries.append(load.recovers())
                cluster.again(dead)
                until(is_ok)
        failing.end("R2", f"{TIMES} masters")
    until(lambda: is_settled(cluster))


def test_slots_move_under_load(cluster, server, ran):
    until(lambda: is_settled(cluster))
    with nothing_is_left(server.url):
        failing = Failing(cluster.url, ran)
        with failing.load as load:
            load.recovers()
            # Some of those in which the namespace lies.
            keys = [f"ew{{shop.{shard}}}" for shard in range(SLOTS)]
            used = [int(cluster.say(cluster.ports[0], "cluster", "keyslot", key)) for key in keys]
            begun, moved = time.monotonic(), 0
            for _ in range(TIMES):
                for slot in used:
                    move = Move.of(cluster, slot)
                    move.begin()
                    move.carry()
                    move.end()
                    moved += 1
                    load.goes_on(0)
                failing.recoveries.append(load.recovers())
            took = time.monotonic() - begun
        failing.end("R3", f"{TIMES} times, {moved} moves of slots in {took:.1f} s")

"""Semaphores: as many holders as there are permits, and those of the dead come back."""

from __future__ import annotations

import threading
import time

import pytest
from everwarm import ConfigError, NotHeld


def test_there_are_so_many_permits(cache, do):
    reports = cache.semaphore("render", 3)
    assert [do(reports.acquire, wait=0) for _ in range(4)] == [True, True, True, False]
    do(reports.release)
    assert do(reports.acquire, wait=0)
    assert do.inside(cache.semaphore("other", 1), lambda held: held.locked())


@pytest.mark.proves("semaphore.permits")
def test_so_many_work_at_once(cache, do):
    inside, most, guard = [0], [0], threading.Lock()

    def work():
        def body(held):
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            time.sleep(0.02)
            with guard:
                inside[0] -= 1

        do.inside(cache.semaphore("render", permits=3), body)

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert most[0] == 3


@pytest.mark.proves("semaphore.ttl")
def test_permits_that_are_not_renewed_come_back(cache, clock, do):
    one, other = cache.semaphore("render", 2, ttl="2m"), cache.semaphore("render", 2)
    assert do(one.acquire) and do(one.acquire)
    clock.advance("90s")
    assert not do(other.acquire, wait=0), "the ttl is that of the holder"
    clock.advance("10m")
    assert do(other.acquire, wait=0) and do(other.acquire, wait=0)
    with pytest.raises(NotHeld, match="lost"):
        do(one.release)


@pytest.mark.proves("semaphore.wait")
def test_waiting_ends(cache, do, refusal):
    held = cache.semaphore("render", 1)
    assert held.acquire()
    said = refusal(lambda: do.inside(cache.semaphore("render", 1, wait=0.05), print))
    assert "the semaphore 'render' was not free in time" in said


@pytest.mark.parametrize("permits", [0, -1, 1_001, True, 2.0, "2"])
def test_permits_that_cannot_be_meant_are_refused(cache, permits):
    with pytest.raises(ConfigError, match="whole number from 1 to 1,000"):
        cache.semaphore("render", permits)

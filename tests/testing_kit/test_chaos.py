"""Stores that fail, are slow and lose bytes: the same faults for the same seed, and never a wrong value."""

from __future__ import annotations

import threading
import time

import pytest
from everwarm import Cache, ConfigError, StoreError
from everwarm.testing import chaos, open_store

pytestmark = pytest.mark.once


def faults(store, rounds=200):
    """How each of so many operations ends."""
    ended = []
    for number in range(rounds):
        try:
            store.set(f"n{number}", b"value", None)
            found = store.get(f"n{number}")
            ended.append(found and found[0])
        except StoreError as error:
            ended.append(error.kind)
    return ended


@pytest.mark.proves("chaos.seed", "chaos.error")
def test_the_same_seed_makes_the_same_faults():
    once, again, other = (faults(chaos("memory://", seed=seed, error=0.1)) for seed in (1, 1, 2))
    assert once == again != other
    assert set(once) == {"transient", "timeout", b"value"}
    assert 0.05 < sum(kind in ("transient", "timeout") for kind in once) / 200 < 0.4


def test_half_of_the_failures_were_done_nevertheless():
    plain = open_store("memory://")
    store = chaos(plain, seed=3, error=1.0)
    for number in range(100):
        with pytest.raises(StoreError):
            store.set(f"n{number}", b"value", None)
    done = [number for number in range(100) if plain.get(f"n{number}")]
    assert 20 < len(done) < 80
    store.close()


@pytest.mark.proves("chaos.corrupt")
def test_bytes_come_back_changed():
    ended = faults(chaos("memory://", seed=1, corrupt=0.5))
    assert 50 < sum(data != b"value" for data in ended) < 150


@pytest.mark.proves("chaos.delay", "chaos.delay_by")
def test_operations_are_slow():
    store = chaos("memory://", seed=1, delay=1.0, delay_by="100ms")
    begun = time.monotonic()
    for _ in range(4):
        store.get("n")
    assert 0.4 <= time.monotonic() - begun < 5


@pytest.mark.parametrize("url", ["memory://", "disk://{}/store", "file://{}/store"])
@pytest.mark.parametrize("memory", [True, False])
def test_no_value_is_ever_wrong(url, memory, tmp_path):
    store = chaos(url.format(tmp_path), seed=7, error=0.2, corrupt=0.2)
    cache = Cache(["memory://", store] if memory else [store], namespace="shop")

    @cache(name="double", ttl="1m")
    def double(x: int) -> int:
        return 2 * x

    def work():
        for number in range(150):
            assert double(number % 10) == 2 * (number % 10)
            if number % 20 == 0:
                double.invalidate(number % 10)

    raised = []

    def told():
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=told) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert raised == []
    assert sum(sum(tier.errors.values()) for tier in cache.tiers()) > 0
    cache.close()


def test_a_lock_says_when_its_store_fails():
    cache = Cache([chaos("memory://", seed=1, error=1.0)], namespace="shop")
    with pytest.raises(StoreError):
        cache.lock("nightly").acquire()
    with pytest.raises(StoreError):
        cache.limiter("api", rate="5/1s").try_acquire()


def test_a_limiter_under_faults_grants_no_more_than_allowed():
    cache = Cache([chaos("memory://", seed=5, error=0.1, corrupt=0.0)], namespace="shop")
    api, granted = cache.limiter("api", rate="50/1h"), 0
    for _ in range(400):
        try:
            granted += bool(api.try_acquire())
        except StoreError:
            continue
    assert 20 < granted <= 50


def test_what_is_no_probability_is_refused():
    for said in ({"error": 1.5}, {"delay": -0.1}, {"corrupt": float("nan")}, {"error": "1"}, {"seed": -1}):
        with pytest.raises(ConfigError, match="\nhint: "):
            chaos("memory://", **{"seed": 1, **said})

"""Memory in front of stores may have a ttl of its own: after it the stores are asked."""

from __future__ import annotations

import pytest
from everwarm import Cache, ConfigError, Keyring, Tier

KEY = "1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"


@pytest.fixture(params=[None, KEY], ids=["plain", "sealed"])
def opened(request, clock, tmp_path):
    """Opens a cache with this memory in front of a disk."""
    made = []

    def opened(memory):
        keyring = request.param and Keyring(request.param)
        cache = Cache([memory, f"disk://{tmp_path}"], namespace="shop", clock=clock, keyring=keyring)
        made.append(cache)
        return cache(ttl="1h", name="price", depends_on="nothing")(len)

    yield opened
    for cache in made:
        cache.close()


def tier(price):
    found = price.call("lamp")
    return found.status, found.tier


@pytest.mark.proves("Cache.stores")
def test_after_it_the_store_is_asked_and_memory_filled_again(opened, clock):
    price = opened("memory://?ttl=10s")
    assert price("lamp") == 4 and tier(price) == ("hit", "memory")
    clock.advance(9)
    assert tier(price) == ("hit", "memory")
    clock.advance(1)
    assert tier(price) == ("hit", "disk")
    assert tier(price) == ("hit", "memory")
    clock.advance(10)
    assert tier(price) == ("hit", "disk")


def test_without_it_memory_keeps_what_lives(opened, clock):
    price = opened("memory://")
    assert price("lamp") == 4
    clock.advance(1000)
    assert tier(price) == ("hit", "memory")


def test_an_entry_that_ends_before_is_no_longer_kept(clock, tmp_path):
    with Cache(["memory://?ttl=1h", f"disk://{tmp_path}"], clock=clock) as cache:
        cache.set("k", 1, ttl=10)
        assert cache.get("k") == 1 and cache.tiers()[0].hits == 0
        clock.advance(10)
        assert cache.get("k") == 1 and cache.tiers()[0].hits == 1, "the disk has its own time"


def test_it_is_told(tmp_path):
    with Cache(["memory://?max_entries=7&ttl=10s", f"disk://{tmp_path}"]) as cache:
        assert cache.describe()["tiers"].value == "memory (ttl=10), disk"
        assert cache.max_entries == 7 and cache.policy.ttl is None


@pytest.mark.parametrize(
    ("stores", "said"),
    [
        ("memory://?ttl=10s", 'no store is behind it\nhint: write `ttl=` in the policy, or `\\["memory'),
        (["memory://?ttl=10s"], "no store is behind it\nhint: "),
        (["memory://?ttl=soon", "disk:"], "memory: ttl: "),
        (["memory://?ttl=-1", "disk:"], "memory: ttl: "),
        (["memory://?tll=1", "disk:"], "memory: has no option 'tll'\nhint: did you mean \"ttl\""),
        ([Tier("memory://", ttl=10), "disk:"], 'no tier with options\nhint: write `\\["memory://.ttl=10s'),
    ],
)
def test_what_cannot_be_meant_is_refused(stores, said):
    with pytest.raises(ConfigError, match=said):
        Cache(stores)

"""Each preset changes what a cache does, and the page of the guide shows what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from everwarm import Cache, Policy, Tier, _presets
from everwarm.testing import ManualClock

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "presets.md"

shop = Cache(policy=Policy(ttl=60, jitter=0.5, cache_none=False, version="3"), clock=ManualClock())


def ttls(decorator):
    """The shortest and the longest lifetime of some entries; they differ where jitter is at work."""
    load = decorator(lambda key: key)
    found = [load.peek(load(key)).ttl for key in range(100)]
    return (None, None) if found[0] is None else (min(found), max(found))


def keeps_none(decorator):
    load = decorator(lambda key: None)
    load(1)
    return load.peek(1) is not None


def test_minimal_takes_nothing_from_cache_or_configuration():
    assert ttls(shop.minimal) == (None, None) and keeps_none(shop.minimal)
    assert not keeps_none(shop), "as the cache's policy says"
    assert ":3:" in shop.minimal(version="3")(len).key("a") and ":3:" not in shop.minimal(len).key("a")


def test_production_expires_and_not_at_once():
    least, most = ttls(shop.production)
    assert 270 <= least < most <= 300


def test_dev_expires_soon_and_keeps_no_none():
    assert ttls(Cache(policy=Policy(jitter=0.5), clock=ManualClock()).dev) == (10, 10)
    assert not keeps_none(Cache().dev) and keeps_none(Cache())


def test_test_leaves_nothing_to_chance():
    assert ttls(shop.test) == (60, 60)
    least, most = ttls(shop)
    assert least < most


def test_test_gives_each_caller_a_copy():
    load = shop.test(lambda key: [key])
    load(1).append(2)
    assert load(1) == [1] and load(1) is not load(1)


def test_local_has_no_expiry_and_is_else_as_the_cache_says():
    assert ttls(shop.local) == (None, None) and not keeps_none(shop.local)


@pytest.mark.parametrize("name", _presets.POLICIES)
def test_a_preset_takes_the_same_keywords_and_prints_itself(name):
    preset = getattr(Cache(), name)
    assert preset.policy == _presets.POLICIES[name] != Policy()
    assert eval(repr(preset.policy)) == preset.policy
    assert name in repr(preset) and repr(preset.policy) in repr(preset)
    assert preset(len).policy == preset().__call__(len).policy == preset.policy
    assert preset(ttl=7, name="n")(len).policy == preset.policy.replace(ttl=7, name="n")
    assert preset(len, version="2").policy.version == "2"


def test_the_page_shows_the_presets_as_they_are():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    shown = {name: [cell.strip() for cell in cells.split("|")] for name, cells in rows}
    fields = list(_presets._FIELDS)
    assert list(shown) == fields
    for field, cells in shown.items():
        for cell, policy in zip(cells, _presets.POLICIES.values(), strict=True):
            said = f"`{getattr(policy, field)!r}`" if field in policy._said else ""
            assert cell == said, field


def test_production_says_which_layers_are_around_stores_and_they_are():
    layers = shop.production.layers
    assert shop.secure.layers == layers and not shop.dev.layers
    # Nobody listens there, and nobody has said anything about layers.
    with Cache(["redis+unix:///nowhere/redis.sock"]) as cache:
        said = ", ".join(f"{name}={'on' if on is True else on}" for name, on in layers.items())
        assert cache.describe()["tiers"].value == f"redis+unix ({said})"
        text = cache.production(name="text")(lambda number: str(number))
        assert [text(number) for number in range(50)] == [str(n) for n in range(50)]
        (tier,) = cache.tiers()
        assert tier.breaker == "open" and tier.unasked["breaker"] > 0
        assert tier.retries > 0 and tier.p99 is not None
        assert set(tier.errors) == {"transient"}


def test_its_layers_go_around_any_store():
    class Away:
        asked = 0

        def get(self, name):
            Away.asked += 1
            raise ConnectionError

        def set(self, name, data, ttl):
            raise ConnectionError

        delete = clear = get

    with Cache([Tier(Away(), **shop.production.layers)]) as cache:
        for number in range(50):
            assert cache.get(number) is None
        (tier,) = cache.tiers()
    assert tier.breaker == "open" and tier.retries > 0 and Away.asked < 50

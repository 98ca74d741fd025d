"""MongoDB behind caches: what it says of itself, and secrets."""

from __future__ import annotations

import pytest
from everwarm import Cache, Tier, UnknownOption
from far import FAR

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def url():
    return FAR["mongodb"].emptied()


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_health_says_what_the_server_is(url, shop):
    tier = shop.health("full").tiers[-1]
    assert (tier.name, tier.state) == ("mongodb", "ok")
    assert tier.facts["version"].startswith("mongodb ")
    bare = Cache([url.replace("collection=", "make_index=false&collection=bare_")], namespace="shop")
    assert "index" in [warning.about for warning in bare.health("full").tiers[-1].warnings]
    bare.close()


def test_a_password_is_shown_nowhere(url):
    secret = "hunter2"
    tier = Tier(url.replace("//", f"//ann:{secret}@"), ttl="1h")
    cache = Cache(tier, namespace="shop")
    cache.ping()
    shown = [repr(tier), repr(cache), repr(cache.health("full")), repr(cache.tiers())]
    assert all(secret not in text for text in shown), shown
    cache.close()
    with pytest.raises(UnknownOption, match="hint") as caught:
        Cache(f"mongodb://ann:{secret}@h/shop?colection=x")
    assert secret not in str(caught.value)

"""PostgreSQL behind caches: what it says of itself, secrets, and its tables."""

from __future__ import annotations

import os

import pytest
from everwarm import Cache, ConfigError, Tier, ddl
from everwarm.testing import open_store
from far import FAR
from servers import needed

pytestmark = [pytest.mark.once, pytest.mark.timeout(120)]


@pytest.fixture
def url():
    return FAR["postgres"].emptied()


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_health_says_what_the_database_is(shop):
    tier = shop.health("full").tiers[-1]
    assert (tier.name, tier.state) == ("postgres", "ok")
    assert tier.facts["version"].startswith("postgresql ") and tier.facts["bytes"] > 0


def test_a_password_is_shown_nowhere(url):
    secret = url.partition("//")[2].partition("@")[0].partition(":")[2]
    tier = Tier(url, ttl="1h")
    cache = Cache(tier, namespace="shop")
    assert cache.ping()
    shown = [repr(tier), repr(cache), repr(cache.health("full")), repr(cache.tiers()), repr(open_store(url))]
    assert all(secret not in text for text in shown), shown
    cache.close()


def test_the_ddl_is_for_who_may_make_tables():
    url = f"{needed('EVERWARM_TEST_POSTGRES')}?table=dba_{os.getpid()}&connect_timeout=5s"
    made = ddl(url)
    assert f'CREATE TABLE IF NOT EXISTS "dba_{os.getpid()}"' in made and "settle" in made
    cache = Cache([f"{url}&make_tables=false"], namespace="shop")
    assert cache.ping() is False
    cache.close()
    with pytest.raises(ConfigError, match="has no tables"):
        ddl("redis://localhost")
    with pytest.raises(ConfigError, match="hint"):
        ddl("postgresql://localhost")

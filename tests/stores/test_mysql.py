"""MySQL and MariaDB behind caches: what they say of themselves, secrets, and their tables."""

from __future__ import annotations

import os

import pytest
from everwarm import Cache, StoreError, Tier, ddl
from everwarm.testing import open_store
from far import FAR
from servers import needed

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture
def url():
    return FAR["mariadb"].emptied()


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_health_says_what_the_database_is(shop):
    tier = shop.health("full").tiers[-1]
    assert tier.name == "mysql" and tier.facts["bytes"] > 0
    # The tests' server does not wait for the disk.
    assert [advice.about for advice in tier.warnings] == ["durability"]


def test_what_is_too_large_for_the_server_is_refused_by_the_first_call_too(url):
    largest = 8 * 2**20 - 65_536
    before = open_store(url)
    assert before.largest_value > 2**28
    with pytest.raises(StoreError, match="max_allowed_packet") as refused:
        before.set("name", bytes(largest + 1))
    assert refused.value.kind == "capacity" and before.largest_value == largest
    before.close()
    with Cache(url, namespace="shop") as cache:
        assert cache.get("none") is None
        cache.set("small", "x" * 100)
        cache.set("large", os.urandom(largest))
        assert cache.tiers()[-1].errors == {"capacity": 1}
        assert cache.get("small") == "x" * 100
    with Cache([url], namespace="shop") as cache:
        assert "small" in cache and "large" not in cache


def test_a_password_is_shown_nowhere(url):
    secret = url.partition("//")[2].partition("@")[0].partition(":")[2]
    tier = Tier(url, ttl="1h")
    cache = Cache(tier, namespace="shop")
    assert cache.ping()
    shown = [repr(tier), repr(cache), repr(cache.health("full")), repr(cache.tiers()), repr(open_store(url))]
    assert all(secret not in text for text in shown), shown
    cache.close()


def test_the_ddl_is_for_who_may_make_tables():
    made = ddl("mysql://db.internal/shop?table=dba")
    assert made.startswith("CREATE TABLE IF NOT EXISTS `dba` (") and "PROCEDURE" not in made
    server = f"{needed('EVERWARM_TEST_MARIADB')}?table=dba_{os.getpid()}&connect_timeout=5s"
    cache = Cache([f"{server}&make_tables=false"], namespace="shop")
    assert cache.ping() is False
    cache.close()

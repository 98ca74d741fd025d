"""Object stores behind caches: forks, what they say of themselves, URLs, and secrets."""

from __future__ import annotations

import pytest
from everwarm import Cache, ConfigError, Tier
from everwarm.testing import open_store
from far import FAR
from side_by_side import run

pytestmark = [pytest.mark.timeout(120), pytest.mark.once]


@pytest.fixture
def url():
    return FAR["s3"].emptied()


@pytest.fixture
def shop(url):
    cache = Cache(url, namespace="shop")
    assert cache.ping()
    yield cache
    cache.close()


def test_a_child_asks_for_itself(url):
    script = """
    import os, sys
    from everwarm import Cache

    shop = Cache([sys.argv[1]], namespace="shop")
    shop.set("a", 1)
    pid = os.fork()
    if pid == 0:
        assert shop.get("a") == 1
        shop.set("b", 2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    print(shop.get("a"), shop.get("b"))
    """
    assert run(script, url) == [["1", "2"]]


def test_health_says_which_rule_the_bucket_should_have(shop):
    shop.set("a", 1)
    facts = shop.health("full").tiers[-1].facts
    assert facts["conditions"] == "of writes and deletes"
    assert "AbortIncompleteMultipartUpload" in facts["lifecycle"]


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("s3://bucket?secret=hush", "secret_env="),
        ("s3://key:hush@bucket", "key_env="),
        ("gs://bucket?region=eu", "leave it out"),
        ("az://", "az://container"),
    ],
)
def test_what_cannot_be_meant_is_refused(url, part):
    for stores in (url, Tier(url)):
        with pytest.raises(ConfigError) as caught:
            Cache(stores)
        assert part in str(caught.value)
        assert "hush" not in str(caught.value)


def test_it_says_where_it_is_without_secrets(url, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "known")
    monkeypatch.setenv("SHOP_SECRET", "hush")
    url = url.replace("key_env=MOTO_KEY&secret_env=MOTO_KEY", "key_env=SHOP_KEY&secret_env=SHOP_SECRET")
    store = open_store(url)
    store.set("a", b"1", None)
    assert store.get("a")[0] == b"1"
    assert "hush" not in repr(store)
    store.close()

"""`from_redis_py`: what a client of redis-py was told of its server is what a tier is told."""

from __future__ import annotations

import logging
import ssl
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from everwarm import Cache, ConfigError, Tier, Unsupported, _report, from_redis_py
from servers import needed

redis = pytest.importorskip("redis")

from redis import asyncio as aio  # noqa: E402
from redis.cluster import LoadBalancingStrategy  # noqa: E402
from redis.sentinel import Sentinel  # noqa: E402

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(autouse=True)
def nothing_was_said(monkeypatch):
    monkeypatch.setattr(_report, "_said", set())


# Each client, and the URL that it means.
MEANT = {
    "nothing said": (lambda: redis.Redis(), "redis://localhost:6379/0"),
    "all said": (
        lambda: redis.Redis("cache", 6380, 2, username="ann", password="p@ss/w:rd"),
        "redis://ann:p%40ss%2Fw%3Ard@cache:6380/2",
    ),
    "a password alone": (lambda: redis.Redis(password="secret"), "redis://:secret@localhost:6379/0"),
    "a URL": (lambda: redis.Redis.from_url("redis://u:p@host:7/3"), "redis://u:p@host:7/3"),
    "a user who needs no password": (lambda: redis.Redis(username="ann"), "redis://ann:@localhost:6379/0"),
    "version 6 of the internet": (lambda: redis.Redis("::1"), "redis://[::1]:6379/0"),
    "a task's": (lambda: aio.Redis(host="cache", db=1), "redis://cache:6379/1"),
    "a socket": (
        lambda: redis.Redis(unix_socket_path="/run/a b.sock", password="x"),
        "redis+unix://:x@/run/a%20b.sock?db=0",
    ),
    "a task's socket": (
        lambda: aio.Redis.from_url("unix://:x@/run/redis.sock?db=3"),
        "redis+unix://:x@/run/redis.sock?db=3",
    ),
    "certificates": (
        lambda: redis.Redis(ssl=True, ssl_ca_certs="/ca", ssl_certfile="/cert", ssl_keyfile="/key"),
        "rediss://localhost:6379/0?ca=%2Fca&cert=%2Fcert&key=%2Fkey",
    ),
    "one file with both": (
        lambda: aio.Redis(ssl=True, ssl_certfile="/both"),
        "rediss://localhost:6379/0?cert=%2Fboth&key=%2Fboth",
    ),
    "a provider of what was given": (
        lambda: redis.Redis(
            credential_provider=redis.UsernamePasswordCredentialProvider(username="ann", password="pw")
        ),
        "redis://ann:pw@localhost:6379/0",
    ),
    "sentinels": (
        lambda: Sentinel([("s1", 1), ("s2", 2)], password="pw", db=2).master_for("shop"),
        "redis+sentinel://:pw@s1:1,s2:2/shop/2",
    ),
    "a task's sentinels": (
        lambda: aio.sentinel.Sentinel(
            [("s1", 1)], sentinel_kwargs={"username": "sam", "password": "sp"}
        ).master_for("shop"),
        "redis+sentinel://s1:1/shop/0?sentinel_password=sp&sentinel_username=sam",
    ),
    "sentinels with TLS": (
        lambda: Sentinel([("s1", 1)], sentinel_kwargs={"ssl": True}, ssl=True).master_for("shop"),
        "redis+sentinel://s1:1/shop/0?tls=true",
    ),
    "a task's cluster": (
        lambda: aio.RedisCluster("h1", 7000, username="ann", password="pw"),
        "redis+cluster://ann:pw@h1:7000",
    ),
    "a cluster with TLS": (
        lambda: aio.RedisCluster("h1", 7000, ssl=True, ssl_ca_certs="/ca"),
        "redis+cluster://h1:7000?ca=%2Fca&tls=true",
    ),
}


@pytest.mark.parametrize("case", MEANT)
def test_a_client_means_a_url(case):
    make, url = MEANT[case]
    given, meant = urlsplit(from_redis_py(make()).store), urlsplit(url)
    assert given._replace(query="") == meant._replace(query="")
    assert parse_qs(given.query) == parse_qs(meant.query)


class Changing(redis.CredentialProvider):
    def get_credentials(self):
        return "ann", "changes"


REFUSED = {
    "a provider": (lambda: redis.Redis(credential_provider=Changing()), "Changing"),
    "nobody is verified": (lambda: redis.Redis(ssl=True, ssl_cert_reqs="none"), "does not verify"),
    "nobody is verified, by None": (lambda: aio.Redis(ssl=True, ssl_cert_reqs=None), "does not verify"),
    "authorities as text": (lambda: redis.Redis(ssl=True, ssl_ca_data="PEM"), "ssl_ca_data"),
    "a key with a password": (
        lambda: redis.Redis(ssl=True, ssl_certfile="/c", ssl_password="hunter2"),
        "ssl_password",
    ),
    "flags of a verification": (
        lambda: redis.Redis(ssl=True, ssl_include_verify_flags=[ssl.VERIFY_CRL_CHECK_LEAF]),
        "ssl_include_verify_flags",
    ),
    "replicas of a cluster": (
        lambda: aio.RedisCluster("h1", load_balancing_strategy=LoadBalancingStrategy.ROUND_ROBIN),
        "load_balancing_strategy",
    ),
    "other addresses": (lambda: aio.RedisCluster("h1", address_remap=lambda it: it), "address_remap"),
    "replicas": (lambda: Sentinel([("s1", 1)]).slave_for("shop"), "replicas"),
    "half of it with TLS": (lambda: Sentinel([("s1", 1)], ssl=True).master_for("shop"), "not both encrypted"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_another_connection_is_refused(case):
    make, said = REFUSED[case]
    with pytest.raises(Unsupported, match=said) as raised:
        from_redis_py(make())
    assert "\nhint: " in str(raised.value) and "hunter2" not in str(raised.value)


@pytest.mark.parametrize("client", ["redis://localhost", None, Sentinel([("s1", 1)])], ids=repr)
def test_what_is_no_client_is_refused(client):
    with pytest.raises(ConfigError, match="takes a client of redis-py") as raised:
        from_redis_py(client)
    assert "\nhint: " in str(raised.value)


def test_what_is_left_out_is_told_once(caplog):
    class Patient(redis.retry.Retry):
        pass

    class Watched(redis.Connection):
        pass

    Patient.__module__ = Watched.__module__ = "shop.redis"

    def client():
        retry = Patient(redis.backoff.NoBackoff(), 7)
        said = {"retry": retry, "socket_timeout": 7, "client_name": "shop", "decode_responses": True}
        return redis.Redis(connection_pool=redis.ConnectionPool(Watched, **said))

    with caplog.at_level(logging.WARNING, "everwarm"):
        from_redis_py(redis.Redis())
        assert caplog.messages == []
        from_redis_py(client())
        from_redis_py(client())
    (message,) = caplog.messages
    for name in ("decode_responses", "retry", "socket_timeout", "client_name", "connection_class"):
        assert f"{name} (" in message
    assert "health_check_interval" not in message and "\nhint: " in message


def test_a_password_is_in_no_repr():
    tier = from_redis_py(redis.Redis("cache", username="ann", password="hunter2"), timeout="100ms")
    assert repr(tier) == "Tier(store='redis://***@cache:6379/0', timeout=0.1)"
    cache = Cache(["memory://", tier])
    assert "hunter2" not in repr(cache) + str(cache.describe()) + repr(cache.describe())


@pytest.mark.proves("from_redis_py.timeout", "from_redis_py.breaker", "from_redis_py.retry")
@pytest.mark.proves("from_redis_py.ttl", "from_redis_py.write", "from_redis_py.bulkhead")
def test_the_options_are_those_of_a_tier():
    said = {"ttl": 60.0, "write": "behind", "timeout": 0.2, "breaker": False, "retry": False, "bulkhead": 8}
    tier = from_redis_py(redis.Redis(), **said)
    assert {name: getattr(tier, name) for name in said} == said
    assert tier == Tier("redis://localhost:6379/0", **said)


@pytest.mark.proves("from_redis_py.hear", "from_redis_py.connect_timeout")
def test_what_a_url_says_beside_may_be_said():
    tier = from_redis_py(redis.Redis(), hear="tracking", connect_timeout="2s", breaker=False)
    assert tier == Tier("redis://localhost:6379/0?hear=tracking&connect_timeout=2s", breaker=False)
    encrypted = from_redis_py(redis.Redis(ssl=True, ssl_ca_certs="/ca"), connect_timeout="2s")
    assert parse_qs(urlsplit(encrypted.store).query) == {"ca": ["/ca"], "connect_timeout": ["2s"]}
    with pytest.raises(ConfigError, match="hear"):
        from_redis_py(redis.Redis(), hear="nothing")


def test_the_library_is_not_imported_for_it():
    code = "import sys; from everwarm import from_redis_py; assert 'redis' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def _works(client):
    """Whether what a cache stores by the tier of a client is where the client is."""
    with Cache([from_redis_py(client, timeout="5s")], namespace="redis-py") as cache:
        cache.clear()
        cache.set("greeting", "hello")
        assert cache.get("greeting") == "hello"
        assert cache.tiers()[0].errors == {}
        cache.clear()


def _options(url):
    parts = urlsplit(url)
    names = {"host": "hostname", "port": "port", "username": "username", "password": "password"}
    return {name: getattr(parts, there) for name, there in names.items()}


def test_it_reaches_one_server():
    url = needed("EVERWARM_TEST_REDIS")
    _works(redis.Redis.from_url(url))
    _works(aio.Redis.from_url(url))
    socket = needed("EVERWARM_TEST_REDIS_UNIX").partition("//")[2]
    _works(redis.Redis(unix_socket_path=socket))


@pytest.mark.parametrize("kind", [redis.Redis, aio.Redis])
def test_it_reaches_one_that_wants_to_know_who_asks(kind):
    files = [needed(f"EVERWARM_TEST_REDIS_{name}") for name in ("CA", "CERT", "KEY")]
    said = dict(zip(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), files, strict=True))
    _works(kind(ssl=True, **said, **_options(needed("EVERWARM_TEST_REDIS_TLS"))))


def _hosts(url):
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    return [(host, int(port)) for host, _, port in (each.rpartition(":") for each in hosts)]


def test_it_reaches_what_sentinels_name():
    url = needed("EVERWARM_TEST_REDIS_SENTINEL")
    name = urlsplit(url).path.split("/")[1]
    _works(Sentinel(_hosts(url)).master_for(name))
    _works(aio.sentinel.Sentinel(_hosts(url)).master_for(name))


def test_it_reaches_a_cluster():
    host, port = _hosts(needed("EVERWARM_TEST_REDIS_CLUSTER"))[0]
    with redis.RedisCluster(host, port) as client:
        _works(client)
    _works(aio.RedisCluster(host, port))

"""What changes when an entry ends, and what may be scanned meanwhile."""

from __future__ import annotations

import math
import time
from datetime import datetime, timedelta, timezone

import pytest
from everwarm import ConfigError


def test_ttl_tells_absent_endless_and_timed_apart(shop, clock):
    assert shop.ttl("a") is None
    shop.set("a", 1)
    assert shop.ttl("a") == math.inf
    shop.set("a", 1, ttl=5)
    clock.advance(2)
    assert shop.ttl("a") == 3.0
    clock.advance(3)
    assert shop.ttl("a") is None
    assert shop.cache.stats().calls == 0, "it counts nothing"


def test_expire_persist_and_touch(shop, clock):
    for absent in (shop.expire("a", 5), shop.persist("a"), shop.touch("a")):
        assert absent is False
    shop.set("a", 1)
    assert shop.touch("a") is True and shop.ttl("a") == math.inf
    assert shop.expire("a", timedelta(seconds=5)) is True
    clock.advance(3)
    assert shop.touch("a") is True and shop.ttl("a") == 5.0
    clock.advance(3)
    assert shop.touch("a") is True and shop.ttl("a") == 5.0, "the ttl it was given, not what was left"
    assert shop.persist("a") is True and shop.ttl("a") == math.inf
    age = 6.0 if shop.place == "memory" else 0.0
    assert shop.get_with_meta("a").age == age, (
        "none of them is a write, but in a store an age begins with its ttl"
    )


def test_what_expires_by_expire_is_swept(shop, clock):
    shop.set("a", 1)
    shop.expire("a", 5)
    clock.advance(5)
    assert shop.sweep() == 1 and shop.sweep() == 0
    assert shop.cache.stats().expired == (shop.place == "memory"), "memory counts its own entries"


@pytest.mark.parametrize("wrong", [0, -1, None, "soon", float("inf")])
def test_expire_refuses_what_is_no_time_ahead(shop, wrong):
    shop.set("a", 1)
    with pytest.raises(ConfigError, match="\nhint: "):
        shop.expire("a", wrong)
    assert shop.ttl("a") == math.inf


def test_expire_at_takes_unix_times_and_aware_datetimes(shop):
    assert shop.expire_at("a", time.time() + 60) is False
    for when in (
        time.time() + 60,
        int(time.time()) + 60,
        datetime.now(timezone.utc) + timedelta(seconds=60),
        datetime.now(timezone(timedelta(hours=5))) + timedelta(seconds=60),
    ):
        shop.set("a", 1)
        assert shop.expire_at("a", when) is True
        assert 55 < shop.ttl("a") <= 60


def test_expire_at_a_past_time_lets_it_expire_at_once(shop):
    for when in (0, time.time() - 1, datetime(2000, 1, 1, tzinfo=timezone.utc)):
        shop.set("a", 1)
        assert shop.expire_at("a", when) is True
        assert not shop.exists("a")


@pytest.mark.parametrize("wrong", [datetime(2100, 1, 1), "2100", None, True, math.nan, math.inf])
def test_expire_at_refuses_what_is_no_moment(shop, wrong):
    with pytest.raises(ConfigError, match="\nhint: "):
        shop.expire_at("a", wrong)


def test_mark_stale_demotes(shop):
    shop.set("a", 1)
    assert shop.mark_stale("a") is True
    assert not shop.exists("a") and shop.mark_stale("a") is False
    assert shop.get("a") is None
    assert shop.cache.stats().expired == (shop.place == "memory"), "memory counts its own entries"


def test_added_tags_meet_later_invalidations_alone(shop):
    assert shop.add_tags("a", "x") is False
    shop.set("a", 1, tags=["x"])
    shop.invalidate_tags("y")
    assert shop.add_tags("a", "y", "x") is True
    assert shop.add_tags("a", ["z"]) is True
    assert shop.add_tags("a") is True
    assert shop.get_with_meta("a").tags == ("x", "y", "z")
    with pytest.raises(ConfigError):
        shop.add_tags("a", 5)
    shop.invalidate_tags(["z"])
    assert not shop.exists("a")


@pytest.mark.proves("scan.prefix")
def test_scan_gives_the_texts_among_the_keys(shop, clock):
    load = shop.cache(lambda key: key)
    load("user:function")
    odd = "user:\udc80é🙂"
    shop.set_many({"user:1": 1, "user:2": 2, odd: 3, "order:1": 4, 5: 5, ("user:t",): 6, b"user:b": 7})
    shop.set("user:old", 1, ttl=5)
    clock.advance(5)
    assert sorted(shop.scan("user:")) == ["user:1", "user:2", odd]
    assert sorted(shop.scan()) == ["order:1", "user:1", "user:2", odd]
    assert shop.scan(odd) == [odd] and shop.scan("nobody") == []
    shop.clear()
    assert shop.scan() == []


@pytest.mark.parametrize("wrong", [5, b"user", ["user"]])
def test_scan_takes_a_text(shop, wrong):
    with pytest.raises(TypeError):
        shop.cache.ascan(wrong) if shop.is_async else shop.cache.scan(wrong)


def test_what_stays_is_scanned_once_and_what_is_gone_is_not(shop):
    cache = shop.cache
    cache.set_many({f"stays:{number}": number for number in range(1_000)})
    cache.set_many({f"goes:{number}": number for number in range(1_000)})
    given = []
    # A store is asked for many names at once: what goes before it is given is given all the same.
    gone = set()
    for turn, key in enumerate(cache.scan()):
        given.append(key)
        gone.add(f"goes:{turn}" if shop.place == "memory" else key)
        cache.delete(f"goes:{turn}")
        cache.set(f"comes:{turn}", turn)
        cache.set(f"stays:{turn % 1_000}", turn)
        # What came meanwhile may have had to make room for the next.
        assert cache.exists(key) or key in gone or key.startswith("comes:")
    stayed = [key for key in given if key.startswith("stays:")]
    assert len(stayed) == len(set(stayed)) == 1_000

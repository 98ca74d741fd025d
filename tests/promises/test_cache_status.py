"""`Cache-Status`: what a result says is what RFC 9211 lets a cache say, in its grammar."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import pytest
from everwarm import ConfigError, Result
from structured import Token, read
from worlds import PATIENCE, Gate, crowd

# RFC 9211, 2.1 to 2.8, and the values of `fwd` in 2.2.
TYPES = {
    "hit": bool,
    "fwd": Token,
    "ttl": int,
    "stored": bool,
    "collapsed": bool,
    "key": str,
    "detail": (Token, str),
}
REASONS = {"bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}


def parameters(result, *arguments, **keywords):
    """The parameters of the one member, which has to be one that the RFC allows."""
    ((name, found),) = read(result.cache_status(*arguments, **keywords))
    assert set(found) <= set(TYPES)
    for key, value in found.items():
        assert isinstance(value, TYPES[key]), (key, value)
    assert ("hit" in found) != ("fwd" in found)
    assert found.get("fwd", "miss") in REASONS
    if "stored" in found or "collapsed" in found:
        assert "fwd" in found
    return name, found


@pytest.fixture
def load(world, cache):
    @world.cached(cache(ttl=60))
    def load(key):
        return [key]

    return load


def test_a_miss_and_the_hit_after_it(world, clock, load):
    assert parameters(world.call(load.call, 1)) == ("everwarm", {"fwd": "miss", "stored": True, "ttl": 60})
    clock.advance(1.5)
    assert parameters(world.call(load.call, 1)) == ("everwarm", {"hit": True, "ttl": 58, "detail": "memory"})


def test_a_refresh_is_what_the_request_asked_for(world, load):
    world.call(load, 1)
    assert parameters(world.call(load.using(refresh=True).call, 1))[1]["fwd"] == "request"


def test_a_call_past_the_cache(world, load):
    assert parameters(world.call(load.using(skip=True).call, 1))[1] == {"fwd": "bypass"}


def test_what_is_not_stored_does_not_say_so(world, load):
    assert parameters(world.call(load.using(read_only=True).call, 1))[1] == {"fwd": "miss"}


def test_a_follower_is_collapsed(world, cache):
    gate = Gate()

    @world.cached(cache)
    def load(key):
        yield gate
        return [key]

    calls = crowd(world, load, 1, 1)
    follower = world.start(load.call, 1)
    while not load.stats().followers:
        pass
    gate.open()
    calls[0].result(PATIENCE)
    found = parameters(follower.result(PATIENCE))[1]
    assert (found["fwd"], found["collapsed"]) == ("miss", True)


def test_an_entry_without_an_end_has_no_ttl(world, cache):
    @world.cached(cache)
    def load(key):
        return key

    assert "ttl" not in parameters(world.call(load.call, 1))[1]


@pytest.mark.proves("cache_status.key")
def test_the_key_is_told_when_asked(world, load):
    result = world.call(load.call, 1)
    assert parameters(result, key=True)[1].get("key") == result.key
    assert "key" not in parameters(result)[1]


@pytest.mark.proves("cache_status.name")
def test_a_name_is_a_token_or_a_text(world, load):
    result = world.call(load.call, 1)
    name, _ = parameters(result, "shop.example")
    assert (name, type(name)) == ("shop.example", Token)
    name, _ = parameters(result, 'my "cache" \\ 1')
    assert (name, type(name)) == ('my "cache" \\ 1', str)


@pytest.mark.parametrize("name", ["", "caf\u00e9", "a\nb", None, 3])
def test_other_names_are_refused(load, world, name):
    with pytest.raises(ConfigError, match="printable ASCII\nhint: "):
        world.call(load.call, 1).cache_status(name)


def test_members_join_to_a_list(world, load):
    first, second = world.call(load.call, 1), world.call(load.call, 1)
    members = read(f"{first.cache_status('origin')}, {second.cache_status()}")
    assert [name for name, _ in members] == ["origin", "everwarm"]


@hypothesis.given(
    key=st.text(),
    name=st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1),
    status=st.sampled_from(["hit", "miss", "follower", "refreshed", "bypass"]),
    ttl=st.none() | st.floats(-1e9, 1e9),
    tier=st.none() | st.sampled_from(["memory", "disk"]),
    version=st.integers(0, 2),
)
def test_whatever_a_result_is_the_grammar_holds(key, name, status, ttl, tier, version):
    result = Result(
        value=1,
        status=status,
        tier=tier if status == "hit" else None,
        age=0.0,
        ttl=ttl,
        tags=(),
        key=key,
        version=version,
        why="",
    )
    said, found = parameters(result, name, key=True)
    assert said == name
    assert ("key" in found) == bool(key)
    assert found.get("ttl") == (None if ttl is None else int(ttl // 1))

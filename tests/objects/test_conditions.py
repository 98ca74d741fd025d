"""Writes under a condition, versions, and many keys at once."""

from __future__ import annotations

import pytest
from everwarm import Cache, ConfigError, KeyRefused, Policy
from everwarm.testing import ManualClock


def test_add_takes_effect_where_nothing_is_and_replace_where_something_is(shop, clock):
    assert shop.replace("a", 0) is False and not shop.exists("a")
    assert shop.add("a", 1, ttl=10) is True
    assert shop.add("a", 2) is False and shop.get("a") == 1
    assert shop.replace("a", 3, ttl=5) is True and shop.get("a") == 3
    clock.advance(5)
    assert shop.replace("a", 4) is False, "what is expired is not there"
    assert shop.add("a", 5) is True


def test_a_stored_none_is_there(shop):
    assert shop.add("a", None) is True and shop.add("a", 1) is False
    assert shop.get_many(["a", "b"]) == {"a": None}
    assert shop.get_with_meta("a").value is None
    assert shop.get_or_compute("a", shop.computing(lambda: 1)) is None


@pytest.mark.proves("add.ttl")
@pytest.mark.proves("add.tags")
@pytest.mark.proves("replace.ttl")
@pytest.mark.proves("replace.tags")
@pytest.mark.proves("set.ttl")
@pytest.mark.proves("set.tags")
@pytest.mark.parametrize("verb", ["set", "add", "replace"])
def test_each_write_takes_a_ttl_and_tags(shop, clock, verb):
    for key in ("timed", "tagged"):
        if verb == "replace":
            shop.set(key, 0)
    getattr(shop, verb)("timed", 1, ttl="5s")
    getattr(shop, verb)("tagged", 1, tags=["letters"])
    assert shop.ttl("timed") == 5.0 and shop.get_with_meta("tagged").tags == ("letters",)
    clock.advance(5)
    assert not shop.exists("timed") and shop.exists("tagged")
    shop.invalidate_tags("letters")
    assert not shop.exists("tagged")


def test_compare_and_set_takes_effect_once_for_a_version(shop, clock):
    shop.set("a", 1, ttl=10, tags=["letters"])
    clock.advance(4)
    seen = shop.get_with_meta("a")
    assert shop.compare_and_set("a", seen.version, 2) is True
    assert shop.compare_and_set("a", seen.version, 3) is False
    after = shop.get_with_meta("a")
    assert (after.value, after.ttl, after.tags, after.age) == (2, 6.0, ("letters",), 0.0)
    assert after.version > seen.version
    given = 10.0 if shop.place == "memory" else 6.0
    assert shop.touch("a") and shop.ttl("a") == given, "a store takes what was left for what was given"
    shop.delete("a")
    assert shop.compare_and_set("a", after.version, 4) is False


@pytest.mark.parametrize("version", [0, -1, 2**70])
def test_what_is_no_version_is_that_of_no_write(shop, version):
    shop.set("a", 1)
    assert shop.compare_and_set("a", version, 2) is False and shop.get("a") == 1


def test_each_write_has_a_version_of_its_own(shop, clock):
    versions = []
    for value in range(5):
        shop.set("a", value)
        versions.append(shop.get_with_meta("a").version)
        if value == 2:
            clock.advance(1)
    assert sorted(set(versions)) == versions


def test_a_clock_that_begins_anew_repeats_no_version(shop):
    if shop.place != "memory":
        pytest.skip("a store has a clock of its own")
    shop.set("a", 1)
    seen = shop.get_with_meta("a")
    hand = ManualClock()
    hand.attach(shop.cache._resolve())
    shop.set("a", 2)
    assert shop.compare_and_set("a", seen.version, 3) is False
    hand.advance(5)
    assert shop.get_with_meta("a").age == 5.0
    hand.detach(shop.cache._resolve())


def test_functions_have_versions_too(clock):
    cache = Cache(clock=clock)
    double = cache(lambda x: 2 * x)
    assert double.call(1).version == double.peek(1).version > 0
    before = double.peek(1).version
    double.refresh(1)
    assert double.peek(1).version > before
    unstored = cache(when=lambda _: False)(lambda x: x)
    assert unstored.call(1).version == 0


def test_get_with_meta_tells_and_counts(shop, clock):
    assert shop.get_with_meta("a") is None
    shop.set("a", 1, ttl=10, tags=["letters"])
    clock.advance(4)
    seen = shop.get_with_meta("a")
    assert (seen.value, seen.status, seen.tier, seen.age, seen.ttl) == (1, "hit", "memory", 4.0, 6.0)
    assert seen.key.startswith("shop:") and seen.tags == ("letters",)
    stats = shop.cache.stats()
    assert (stats.hits, stats.misses) == (1, 1)


@pytest.mark.proves("set_many.ttl")
@pytest.mark.proves("set_many.tags")
def test_many_at_once(shop, clock):
    key = ("user", 7)
    shop.set_many({"a": 1, key: 2, 3: None}, ttl=5, tags=["all"])
    assert shop.get_many(["a", "b", key, 3]) == {"a": 1, key: 2, 3: None}
    assert shop.cache.stats().misses == 1
    assert shop.delete_many(["a", "b"]) == 1
    shop.invalidate_tags("all")
    assert shop.get_many([key]) == {}
    shop.set_many({"a": 1}, ttl=5)
    clock.advance(5)
    assert shop.delete_many(["a"]) == 0, "what is expired is not there"


def test_many_takes_no_single_text(shop):
    for verb in (shop.get_many, shop.delete_many):
        with pytest.raises(TypeError, match="not one text\nhint: "):
            verb("abc")
    assert shop.get_many([]) == {} and shop.delete_many([]) == 0


def test_a_refused_key_stores_nothing(shop):
    with pytest.raises(KeyRefused):
        shop.set_many({"a": 1, object(): 2})
    assert not shop.exists("a")


@pytest.mark.parametrize(
    "verb", ["get", "delete", "exists", "get_with_meta", "ttl", "persist", "touch", "incr"]
)
def test_a_key_without_a_form_is_refused(shop, verb):
    with pytest.raises(KeyRefused, match="\nhint: "):
        getattr(shop, verb)(object())


@pytest.mark.proves("get.default")
def test_a_default_is_given_by_place_or_name(shop):
    assert shop.get("a", 1) == shop.get("a", default=1) == shop.get(key="a", default=1) == 1
    assert shop.get(("a", 1), 2) == 2
    with pytest.raises(TypeError):
        shop.get()
    with pytest.raises(TypeError):
        shop.get("a", 1, 2)
    with pytest.raises(TypeError):
        shop.get("a", unknown=1)


def test_set_in_every_shape(shop, clock):
    shop.set("a", 1)
    shop.set(key="b", value=2)
    shop.set("c", 3, ttl=None)
    shop.set(("d",), 4, tags=["t"], ttl=9)
    assert shop.get_many(["a", "b", "c", ("d",)]) == {"a": 1, "b": 2, "c": 3, ("d",): 4}
    for wrong in (0, -1, float("nan"), "soon"):
        with pytest.raises(ConfigError):
            shop.set("a", 0, ttl=wrong)
    with pytest.raises(TypeError):
        shop.set("a")
    with pytest.raises(ConfigError):
        shop.set("a", 0, tags="letters")
    assert shop.get("a") == 1


@pytest.mark.proves("Cache.policy")
def test_the_policy_of_the_cache_is_the_default(world, clock):
    shop = world(Cache(clock=clock, policy=Policy(ttl=5)))
    shop.set("a", 1)
    shop.add("b", 1)
    shop.set("c", 1, ttl=None)
    shop.get_or_compute("d", shop.computing(lambda: 1))
    assert [shop.ttl(key) for key in "abcd"] == [5.0, 5.0, float("inf"), 5.0]
    shop.end()


@pytest.mark.proves("Policy.jitter")
def test_the_jitter_of_the_policy_shortens_each_ttl(world, clock):
    shop = world(Cache(clock=clock, policy=Policy(jitter=0.5)))
    shop.set_many(dict.fromkeys(range(100), 0), ttl=10)
    left = [shop.ttl(key) for key in range(100)]
    assert 5 <= min(left) < 7 and 8 < max(left) <= 10
    shop.end()

"""The layers around a tier's store: a breaker, second attempts, a bulkhead; on by wish, and what they say."""

from __future__ import annotations

import asyncio
import threading

import pytest
from everwarm import Cache, ConfigError, Tier, Unsupported
from everwarm.testing import ManualClock
from own_store import OwnStore


class Weak(OwnStore):
    """A store in Python that fails when it is told so, and counts what it is asked."""

    def __init__(self):
        super().__init__()
        self.failing = None
        self.failures_left = 0

    def _ask(self):
        super()._ask()
        if self.failing is not None and self.failures_left != 0:
            self.failures_left -= 1
            raise self.failing

    def fail(self, error, times=-1):
        self.failing, self.failures_left = error, times


@pytest.fixture
def weak():
    return Weak()


@pytest.fixture
def clock():
    return ManualClock(1)


@pytest.fixture
def built(weak, clock):
    """Builds caches over the store, without memory, by the keywords of its tier."""
    made = []

    def build(**keywords):
        made.append(Cache([Tier(weak, **keywords)], namespace="shop", clock=clock))
        return made[-1]

    yield build
    weak.fail(None)
    for cache in made:
        cache.close()


def shaped(cache, is_async):
    """A function that a caller of either kind calls, as a plain one."""
    if not is_async:
        return cache(name="double", depends_on="nothing")(lambda x: 2 * x)

    @cache(name="double", depends_on="nothing")
    async def double(x):
        return 2 * x

    return lambda x: asyncio.run(_awaited(double, x))


async def _awaited(function, x):
    return await function(x)


@pytest.mark.proves("Tier.breaker")
@pytest.mark.parametrize("is_async", [False, True])
def test_a_store_that_fails_is_left_alone_and_tried_again_after_a_while(weak, clock, built, is_async):
    cache = built(breaker=True)
    double = shaped(cache, is_async)
    weak.fail(TimeoutError("no answer"))
    for x in range(20):
        assert double(x) == 2 * x
    (tier,) = cache.tiers()
    assert tier.breaker == "open"
    asked = weak.asked
    assert [double(x) for x in range(50)] == [2 * x for x in range(50)]
    assert weak.asked == asked, "it is not asked"
    (tier,) = cache.tiers()
    assert tier.unasked["breaker"] >= 50
    assert tier.errors["transient"] >= 50
    # It works again: trials are let through after a second at most, and it is used as before.
    weak.fail(None)
    clock.advance(1)
    for x in range(20):
        double(x)
    assert cache.tiers()[0].breaker == "closed"
    assert double(1) == 2
    assert cache.tiers()[0].hits > 0


@pytest.mark.proves("Tier.breaker")
def test_a_store_in_python_has_no_breaker_unless_it_is_wished_for(weak, built):
    cache = built()
    weak.fail(TimeoutError("no answer"))
    double = shaped(cache, False)
    asked = [double(x) and weak.asked for x in range(1, 50)]
    assert asked == sorted(set(asked)), "it is asked by every call"
    (tier,) = cache.tiers()
    assert (tier.breaker, tier.unasked, tier.p50, tier.p99) == (None, {}, None, None)
    assert built(breaker=True).tiers()[0].breaker == "closed"


def test_misses_open_no_breaker(weak, built):
    cache = built(breaker=True)
    assert [cache.get(f"nothing {x}") for x in range(50)] == [None] * 50
    assert cache.tiers()[0].breaker == "closed"


@pytest.mark.proves("Tier.retry")
def test_a_read_that_failed_for_the_moment_is_done_once_more(weak, built):
    cache = built(retry=True)
    cache.set("a", 1)
    weak.fail(ConnectionError("reset"), times=1)
    assert cache.get("a") == 1
    (tier,) = cache.tiers()
    assert (tier.retries, tier.errors, tier.hits) == (1, {}, 1)
    assert tier.p50 is not None and tier.p99 is not None and tier.p50 <= tier.p99


def test_a_read_is_done_no_third_time_and_a_write_no_second(weak, built):
    cache = built(retry=True)
    weak.fail(ConnectionError("reset"), times=2)
    asked = weak.asked
    assert cache.get("a") is None
    assert weak.asked == asked + 2
    weak.fail(ConnectionError("reset"))
    before = cache.tiers()[0].retries
    cache.set("b", 1)
    assert cache.tiers()[0].retries == before


@pytest.mark.proves("Tier.bulkhead")
def test_no_more_operations_than_its_bulkhead_are_under_way_at_once(weak, built):
    begun, go = threading.Event(), threading.Event()
    under_way, most = [], []

    class Slow(Weak):
        def get(self, name):
            under_way.append(name)
            most.append(len(under_way))
            begun.set()
            assert go.wait(20)
            under_way.remove(name)
            return self.store.get(name)

    cache = Cache([Tier(Slow(), bulkhead=1)], namespace="shop")
    double = cache(name="double", depends_on="nothing")(lambda x: 2 * x)
    first = threading.Thread(target=double, args=(0,))
    first.start()
    assert begun.wait(20)
    others = [threading.Thread(target=double, args=(x,)) for x in range(1, 4)]
    for thread in others:
        thread.start()
    # Who waits for its turn does so for a while, and computes. Without a bulkhead all would be in the store.
    for thread in others:
        thread.join(2)
    refused = cache.tiers()[0].unasked
    go.set()
    for thread in [first, *others]:
        thread.join()
    assert max(most) == 1
    assert refused["bulkhead"] >= 3
    assert cache.tiers()[0].errors["capacity"] >= 3
    cache.close()


def test_a_url_says_the_same_in_its_options(tmp_path):
    url = f"disk://{tmp_path}/store?breaker=on&retry=1&bulkhead=7&ttl=10m"
    cache = Cache(["memory://", url])
    shown = "memory, disk (ttl=600, breaker=on, retry=on, bulkhead=7)"
    assert cache.describe()["tiers"].value == shown
    assert cache.tiers()[0].breaker == "closed"
    cache.set("a", 1)
    assert cache.get("a") == 1
    cache.close()
    off = Cache(f"disk://{tmp_path}/store?breaker=off&bulkhead=no")
    assert off.describe()["tiers"].value == "memory, disk (breaker=off, bulkhead=off)"
    assert off.tiers()[0].breaker is None
    off.close()


@pytest.mark.proves("Tier.ttl", "Tier.write", "Tier.breaker", "Tier.retry", "Tier.bulkhead")
def test_what_a_tier_says_goes_before_its_url(tmp_path):
    url = f"disk://{tmp_path}/store?breaker=off&retry=off&bulkhead=7&ttl=10m&write=around"
    tier = Tier(url, breaker=True, retry=True, bulkhead=8, ttl=60, write="behind")
    cache = Cache(["memory://", tier])
    shown = "memory, disk (ttl=60, write=behind, breaker=on, retry=on, bulkhead=8)"
    assert cache.describe()["tiers"].value == shown
    cache.close()


def test_a_tier_of_a_url_is_as_its_url(tmp_path):
    cache = Cache(Tier(f"disk://{tmp_path}/store"))
    cache.set("a", 1)
    assert cache.describe()["tiers"].value == "memory, disk"
    cache.close()
    other = Cache([f"disk://{tmp_path}/store"])
    assert other.get("a") == 1
    other.close()


@pytest.mark.proves("Tier.timeout")
@pytest.mark.parametrize("store", ["disk:", Weak()], ids=["disk", "object"])
def test_a_store_that_answers_on_the_thread_that_asks_takes_no_time_limit(store):
    said = ""
    try:
        Cache(["memory://", Tier(store, timeout="20ms")]).close()
    except Unsupported as error:
        said = str(error)
    assert "no time limit" in said


@pytest.mark.parametrize(
    ("keywords", "part"),
    [
        ({"breaker": 1}, "breaker is True or False"),
        ({"retry": "on"}, "retry is True or False"),
        ({"bulkhead": 0}, "bulkhead is a number"),
        ({"bulkhead": True}, "bulkhead is a number"),
        ({"bulkhead": 2.0}, "bulkhead is a number"),
        ({"write": "later"}, "no way of writing 'later'"),
        ({"ttl": -1}, "ttl"),
        ({"timeout": "soon"}, "soon"),
    ],
    ids=repr,
)
def test_a_tier_that_cannot_be_meant_is_refused_when_it_is_built(keywords, part):
    with pytest.raises(ConfigError) as caught:
        Tier("disk:", **keywords)
    assert part in str(caught.value).replace("-1", "ttl")
    assert "\nhint: " in str(caught.value)


@pytest.mark.parametrize(
    ("store", "part"),
    [
        ("disk:?breaker=maybe", "breaker: this is neither yes nor no"),
        ("disk:?bulkhead=many", "bulkhead: this is neither yes nor no"),
        ("disk:?bulkhead=0", "bulkhead is a number"),
        (Tier("memory://", breaker=True), "no tier with options"),
        (Tier(object()), "no get and no set"),
        (Tier("nowhere:"), "there is no store"),
        ("unix:///run/redis.sock", "did you mean redis+unix:?"),
        ("valkey://cache:6379", "did you mean redis:?"),
    ],
    ids=repr,
)
def test_a_tier_without_a_store_is_refused_when_the_cache_is_built(store, part):
    with pytest.raises(ConfigError) as caught:
        Cache(["memory://", store])
    assert part in str(caught.value)


def test_a_tier_of_a_tier_is_refused():
    with pytest.raises(ConfigError, match="a tier is no store"):
        Tier(Tier("disk:"))


def test_functions_of_a_tier_on_this_host_depend_on_their_source(tmp_path):
    url = f"disk://{tmp_path}/store"
    keys = []
    for stores in (url, Tier(url), ["memory://", Tier(url, breaker=True)]):
        cache = Cache(stores, namespace="shop")
        keys.append(cache(name="double")(lambda x: 2 * x).key(1))
        cache.close()
    assert len(set(keys)) == 1


# Nothing listens there.
NOWHERE = "redis://127.0.0.1:1/0"


def test_a_store_behind_a_connection_has_all_layers_by_itself(clock):
    cache = Cache([NOWHERE], namespace="shop", clock=clock)
    double = shaped(cache, False)
    assert [double(x) for x in range(60)] == [2 * x for x in range(60)]
    (tier,) = cache.tiers()
    assert tier.breaker == "open"
    assert tier.unasked["breaker"] > 0 and tier.p99 is not None
    cache.close()


def test_its_layers_are_turned_off_in_its_url(clock):
    cache = Cache([f"{NOWHERE}?breaker=off&retry=off&bulkhead=off"], namespace="shop", clock=clock)
    double = shaped(cache, False)
    assert [double(x) for x in range(30)] == [2 * x for x in range(30)]
    (tier,) = cache.tiers()
    assert (tier.breaker, tier.unasked, tier.retries) == (None, {}, 0)
    cache.close()


def test_a_time_limit_of_a_tier_is_its_stores(clock):
    tier = Tier(NOWHERE, timeout="100ms")
    cache = Cache([tier], namespace="shop", clock=clock)
    assert cache.describe()["tiers"].value == "redis (timeout=0.1, breaker=on, retry=on, bulkhead=64)"
    cache.close()
    with pytest.raises(ConfigError, match="timeout"):
        Cache([f"{NOWHERE}?timeout=soon"])

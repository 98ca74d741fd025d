"""What a policy or a verb needs that the stores lack is refused, with a hint; what stands in for it holds."""

from __future__ import annotations

import asyncio

import pytest
from everwarm import Cache, Unsupported
from worlds import until


class Simple:
    """A store with the four methods that every store has."""

    def __init__(self):
        self.entries = {}

    def get(self, name):
        return self.entries.get(name)

    def set(self, name, data, ttl):
        self.entries[name] = (data, ttl)

    def delete(self, name):
        return self.entries.pop(name, None) is not None

    def clear(self, prefix):
        for name in [name for name in self.entries if name.startswith(prefix)]:
            del self.entries[name]


def refused(work, what):
    with pytest.raises(Unsupported) as raised:
        work()
    message, hint = str(raised.value).split("\n")
    assert what in message and hint.startswith("hint: ")


@pytest.mark.parametrize(
    "policy", [{"tags": ["t"]}, {"tags": lambda x: []}, {"tags_from_result": lambda result: []}]
)
def test_a_policy_with_tags_is_refused_over_a_store_that_cannot_have_them(policy):
    cache = Cache([Simple()])

    async def later(x):
        raise AssertionError("nothing is computed")

    plain = cache(name="f", **policy)(lambda x: x)
    refused(lambda: plain(1), "tags: it has neither generations nor leases")
    refused(lambda: asyncio.run(_value_of(cache(name="g", **policy)(later), 1)), "tags")
    assert cache(name="h")(lambda x: x)(1) == 1


async def _value_of(function, *args):
    return await function(*args)


@pytest.mark.parametrize(
    "verb",
    [
        lambda cache: cache.set("a", 1, tags=["t"]),
        lambda cache: cache.add("a", 1, tags=["t"]),
        lambda cache: cache.set_many({"a": 1}, tags=["t"]),
        lambda cache: cache.get_or_compute("a", lambda: 1, tags=["t"]),
        lambda cache: cache.add_tags("a", "t"),
        lambda cache: cache.invalidate_tags("t"),
    ],
    ids=["set", "add", "set_many", "get_or_compute", "add_tags", "invalidate_tags"],
)
def test_a_verb_with_tags_is_refused_there_too(verb):
    cache = Cache([Simple()])
    refused(lambda: verb(cache), "tags")
    assert cache.get("a") is None


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        (lambda cache: cache.add("a", 1), "changes of entries in place"),
        (lambda cache: cache.incr("n"), "changes of entries in place"),
        (lambda cache: cache.expire("a", 3), "changes of entries in place"),
        (lambda cache: list(cache.scan()), "a scan of its names"),
    ],
    ids=["add", "incr", "expire", "scan"],
)
def test_verbs_that_need_a_facet_say_so(verb, what):
    cache = Cache([Simple()])
    cache.set("a", 2)
    refused(lambda: verb(cache), what)
    assert cache.get("a") == 2


def test_with_leases_an_invalidation_of_a_tag_clears_the_namespace_and_keeps_out_what_is_computed(tmp_path):
    source = ["old"]
    here, there = (Cache([f"file://{tmp_path}/store"], namespace="shop") for _ in range(2))

    def read():
        value = source[0]
        if value == "old":
            there.set("meanwhile", 1)
            source[0] = "new"
            there.invalidate_tags("t")
        return value

    mine, theirs = (cache(name="read", tags=["t"])(read) for cache in (here, there))
    assert mine() == "old"
    assert theirs() == "new" == mine()
    assert here.get("meanwhile") is None, "more goes than what has the tag"


def test_memory_hears_of_tags_of_what_it_has_alone(tmp_path):
    url = f"disk://{tmp_path}/store"
    here, there = Cache(url), Cache(url)
    value = object()
    here.set("a", value, tags=["t"])
    assert here.get("a") is value
    there.invalidate_tags("t")
    until(lambda: here.get("a") is None)

"""What no store can take is counted as refused and said once, and strict caches raise."""

from __future__ import annotations

import asyncio
import logging
import os
import pathlib
from typing import Any

import pytest
from everwarm import Cache, Tier, ValueRefused

LARGE = os.urandom(3 << 20)
MANY = [str(number) for number in range(65)]
LONG = ["x" * 5000]
WAYS = {
    "tags": ({"tags": MANY}, b"v", "65 tags"),
    "names of tags": ({"tags": LONG}, b"v", "5000 bytes of tag names"),
    "size": ({}, LARGE, "larger than the store takes"),
}


def opened(place: pathlib.Path, front: bool, behind: bool, strict: bool) -> Cache:
    last: Any = f"disk://{place}?max_bytes=4MiB"
    tiers = ["memory://"] * front + [Tier(last, write="behind") if behind else last]
    return Cache(tiers, namespace="n", strict=strict)


def attempts(cache: Cache, options: dict[str, Any], value: bytes) -> dict[str, Any]:
    @cache(name="plain", depends_on="nothing", **options)
    def plain(x: int) -> bytes:
        return value

    @cache(name="later", depends_on="nothing", **options)
    async def later(x: int) -> bytes:
        return value

    @cache.batch(name="many", depends_on="nothing", **options)
    def many(keys: list[int]) -> dict[int, bytes]:
        return dict.fromkeys(keys, value)

    return {
        "function": lambda: plain(1) == value,
        "coroutine": lambda: asyncio.run(later(1)) == value,
        "batch": lambda: many([1]) == [value],
        "set": lambda: cache.set("k", value, **options) is None,
        "aset": lambda: asyncio.run(cache.aset("a", value, **options)) is None,
        "set_many": lambda: cache.set_many({"m": value}, **options) is None,
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("front", [False, True])
def test_it_is_counted_and_said_once(
    tmp_path: pathlib.Path, front: bool, behind: bool, way: str, caplog: Any
) -> None:
    options, value, why = WAYS[way]
    with opened(tmp_path, front, behind, False) as cache, caplog.at_level(logging.WARNING, "everwarm"):
        for name, attempt in attempts(cache, options, value).items():
            caplog.clear()
            before = cache.stats().refused
            assert attempt(), name
            assert cache.stats().refused == before + 1, name
            said = [record.getMessage() for record in caplog.records]
            assert len(said) <= 1 and all(why in line and "\nhint: " in line for line in said), name


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("front", [False, True])
def test_a_strict_cache_raises(tmp_path: pathlib.Path, front: bool, behind: bool, way: str) -> None:
    options, value, why = WAYS[way]
    with opened(tmp_path, front, behind, True) as cache:
        cache.set("k", b"before")
        for name, attempt in attempts(cache, options, value).items():
            before = cache.stats().refused
            with pytest.raises(ValueRefused, match=why) as raised:
                attempt()
                pytest.fail(f"{name} was not refused")
            assert "\nhint: " in str(raised.value) and cache.stats().refused == before + 1, name
        # What was there is older than what was to be set.
        assert cache.get("k") is None


def test_others_of_a_set_many_are_stored(tmp_path: pathlib.Path) -> None:
    with opened(tmp_path, False, False, False) as cache:
        cache.set("large", b"before")
        cache.set_many({"a": b"1", "large": LARGE, "b": b"2"})
        assert cache.get_many(["a", "large", "b"]) == {"a": b"1", "b": b"2"}
        assert cache.stats().refused == 1

"""Values are compressed in stores from a size on, and none is larger than it may be."""

from __future__ import annotations

import pytest
from everwarm import Cache, ConfigError
from kit import only, written

TEXT = "all work and no play " * 500


def stored(place, **options):
    """How many bytes the text takes in a `file:` store."""
    directory = place / "/".join(map(str, options.values())).replace(":", "-")
    with Cache([f"file://{directory}"], **options) as cache:
        cache.set("text", TEXT)
        assert cache.get("text") == TEXT
    return len(only(directory).envelope)


@pytest.mark.proves("Cache.compression")
@pytest.mark.parametrize("compression", ["lz4", "zstd", "zstd:19", "gzip", "gzip:9"])
def test_a_compressed_value_takes_less_room_and_comes_back(place, compression):
    assert stored(place, compression=compression) < len(TEXT) / 10


def test_without_compression_a_value_lies_as_it_is(place):
    assert stored(place, compression=None) > len(TEXT)


@pytest.mark.proves("Cache.compression_threshold")
def test_small_values_are_left_alone(place):
    assert stored(place, compression="zstd", compression_threshold="1MB") > len(TEXT)
    assert stored(place, compression="zstd", compression_threshold=1) < len(TEXT) / 10


@pytest.mark.proves("Cache.max_value")
def test_what_is_larger_than_a_value_may_be_is_not_stored(place, log):
    with Cache([f"file://{place}"], max_value="1KiB") as cache:

        @cache(name="load")
        def load(text: str) -> str:
            return text

        assert load(TEXT) == TEXT and load("short") == "short"
    assert load.stats().refused == 1
    assert len(written(place)) < len(TEXT) and only(place)
    assert "hint:" in log.text and TEXT not in log.text


def test_a_larger_value_than_usual_is_stored_where_it_may_be(place):
    large = b"x" * (17 << 20)
    with Cache([f"file://{place}"]) as cache:
        cache.set("large", large)
        assert cache.get("large") is None
    with Cache([f"file://{place}"], max_value="32MiB") as cache:
        cache.set("large", large)
        assert cache.get("large") == large


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"compression": "zip"}, "there is no compression"),
        ({"compression": "zstd:40"}, "zstd"),
        ({"compression": "lz4:3"}, "lz4"),
        ({"compression": 3}, "compression is a text"),
        ({"compression_threshold": None}, "compression_threshold"),
        ({"compression_threshold": "1 furlong"}, "furlong"),
        ({"max_value": None}, "max_value"),
        ({"max_value": "2GiB"}, "largest value"),
        ({"max_value": 0}, "max_value"),
    ],
)
def test_what_cannot_be_meant_is_refused_when_the_cache_is_built(options, wrong):
    with pytest.raises(ConfigError, match=wrong) as raised:
        Cache(**options)
    assert "\nhint: " in str(raised.value)

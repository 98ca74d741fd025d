"""Nothing is unpickled but what a holder of the key has sealed for exactly that place."""

from __future__ import annotations

import os
import stat
import threading

import pytest
import xxhash
from everwarm import Cache, ConfigError, Keyring
from kit import KEY, OTHER, SUITE, entries, only, planted

pytestmark = pytest.mark.libraries

PICKLE = 4
# Where the number of a value's format is, in an envelope of suite 0 and in its body.
BODY = 48


class Odd:
    """Of a class that no other format knows."""

    def __init__(self, text):
        self.text = text

    def __eq__(self, other):
        return self.text == other.text


def key_of(home):
    return home / ".local" / "share" / "everwarm" / "pickle.key"


def test_a_pickled_value_comes_back(url, home):
    with Cache([url], format="pickle") as cache:
        cache.set("odd", Odd("a"))
    with Cache([url], format="pickle") as again:
        assert again.get("odd") == Odd("a")
    found = os.stat(key_of(home))
    assert stat.S_IMODE(found.st_mode) == 0o600 and found.st_size == 32
    assert stat.S_IMODE(os.stat(key_of(home).parent).st_mode) == 0o700


def test_one_function_may_pickle_and_others_not(place):
    with Cache([f"file://{place}"]) as cache:

        @cache(format="pickle", name="odd")
        def odd(text: str) -> object:
            return Odd(text)

        @cache(name="plain")
        def plain(text: str) -> str:
            return text

        assert [odd("a"), odd("a"), plain("a"), plain("a")] == [Odd("a"), Odd("a"), "a", "a"]
        assert odd.stats().hits == plain.stats().hits == 1
    assert sorted(entry.suite for entry in entries(place)) == [0, 3]


def sealed_with(place, name, keyring=None, **options):
    """The envelope of a pickle that another has sealed, under the same name."""
    directory = place / name
    with Cache([f"file://{directory}"], format="pickle", keyring=keyring, **options) as cache:
        cache.set("k", 1)
    return only(directory).envelope


@pytest.mark.parametrize("keyring", [None, KEY])
def test_a_planted_pickle_never_runs(place, tmp_path, monkeypatch, ran, keyring):
    """Whoever can write to the store has no way to the unpickler: in any suite, sealed with any other key."""
    marker, keyring = tmp_path / "marker", keyring and Keyring(keyring)
    directory = place / "victim"
    with Cache([f"file://{directory}"], format="pickle", keyring=keyring) as cache:
        cache.set("k", 1)
        entry = only(directory)
        envelope, bomb = entry.envelope, planted(marker)
        plants = [bomb, envelope[:16] + bomb, envelope[:-8] + bomb, envelope + bomb]
        # Each suite's number on what is not of that suite.
        plants += [envelope[:SUITE] + bytes([suite]) + envelope[SUITE + 1 :] for suite in range(256)]
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("XDG_DATA_HOME", str(tmp_path / "attacker"))
            plants.append(sealed_with(place, "mac"))
        plants.append(sealed_with(place, "aes", Keyring(OTHER)))
        for plant in plants:
            if plant == envelope:
                continue
            entry.plant(plant)
            assert cache.get("k") is None
        entry.plant(envelope)
        assert cache.get("k") == 1, "the kit plants what a store would take"
    assert not marker.exists()
    ran("Z", f"{len(plants)} planted pickles {'with' if keyring else 'without'} a keyring")


def test_a_pickle_with_a_checksum_alone_is_none(place, tmp_path, monkeypatch):
    """An envelope that anybody can make, which says it is a pickle, for exactly this place."""
    marker, directory = tmp_path / "marker", place / "victim"
    store = [f"file://{directory}"]

    def plant(data):
        return planted(marker)

    with Cache(store, format=(plant, bytes)) as attacker:
        attacker.set("k", 1)
        entry = only(directory)
    body = bytearray(entry.envelope[BODY:])
    at = body.index(entry.envelope[BODY:][0])
    custom = body[at]
    assert custom >= 128, "the number of a format begins the body"
    body[at] = PICKLE
    head = entry.envelope[:32]
    entry.plant(head + xxhash.xxh3_128_digest(head + body) + body)
    with Cache(store, format=(plant, bytes)) as attacker:
        assert attacker.get("k") is None, "it is of another format"
    body[at] = custom
    entry.plant(head + xxhash.xxh3_128_digest(head + body) + body)
    with Cache(store, format=(plant, bytes)) as attacker:
        assert attacker.get("k") == planted(marker), "the test forges checksums right"
    body[at] = PICKLE
    entry.plant(head + xxhash.xxh3_128_digest(head + body) + body)
    with Cache(store, format="pickle") as victim:
        assert victim.get("k") is None
        victim.set("other", 1)
        assert victim.get("k") is None
    assert not marker.exists()


def test_a_pickle_under_another_key_of_the_cache_is_none(place):
    with Cache([f"file://{place}"], format="pickle") as cache:
        cache.set("a", "mine")
        mine = only(place)
        cache.set("b", "yours")
        (yours,) = [entry for entry in entries(place) if entry.path != mine.path]
        yours.plant(mine.envelope)
        assert cache.get("b") is None and cache.get("a") == "mine"


class Remote:
    """A store that is not this host's own."""

    def get(self, name): ...
    def set(self, name, data, ttl=None): ...
    def delete(self, name): ...
    def clear(self, prefix): ...


def test_elsewhere_pickles_want_a_key_when_the_cache_is_built(url):
    line = 'hint: write `Cache(..., keyring=Keyring.from_env("SHOP_KEY"))`'
    for stores in (Remote(), [url, Remote()]):
        with pytest.raises(ConfigError, match="who wrote it") as raised:
            Cache(stores, format="pickle")
        assert line in str(raised.value)
        with pytest.raises(ConfigError, match="who wrote it") as raised:
            Cache(stores)(format="pickle")(len)
        assert line in str(raised.value)


def test_memory_alone_takes_the_word_and_pickles_nothing(home):
    cache = Cache(format="pickle")
    cache.set("odd", cache)
    assert cache.get("odd") is cache and not key_of(home).exists()


def spoil_mode(path):
    os.chmod(path, 0o644)


def spoil_directory(path):
    os.chmod(path.parent, 0o755)


def spoil_link(path):
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def spoil_fifo(path):
    path.unlink()
    os.mkfifo(path, 0o600)


def spoil_length(path):
    path.write_bytes(b"short")


def spoil_owner(path):
    if os.geteuid():
        pytest.skip("only root gives files away")
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize(
    "spoil", [spoil_mode, spoil_directory, spoil_link, spoil_fifo, spoil_length, spoil_owner]
)
def test_a_key_that_others_may_have_is_refused(url, home, spoil):
    with Cache([url], format="pickle") as cache:
        cache.set("k", 1)
    spoil(key_of(home))
    with pytest.raises(ConfigError, match="\nhint: "):
        Cache([url], format="pickle").get("k")


def test_the_key_lies_outside_of_the_store(home):
    inside = home / ".local" / "share"
    inside.mkdir(parents=True)
    with pytest.raises(ConfigError, match="would hold the key"):
        Cache([f"file://{inside}"], format="pickle").get("k")
    assert not key_of(home).exists()


def test_of_many_who_make_the_key_at_once_all_have_the_same(home):
    from everwarm import _keyring

    made = []
    threads = [threading.Thread(target=lambda: made.append(_keyring.of_user([]).ids)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 16 and len(set(made)) == 1
    assert [path.name for path in key_of(home).parent.iterdir()] == ["pickle.key"]

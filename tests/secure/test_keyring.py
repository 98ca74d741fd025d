"""Keys are read from where secrets are kept, are never shown, and can be changed while entries last."""

from __future__ import annotations

import copy
import os
import pickle
import secrets

import pytest
from everwarm import Cache, ConfigError, Keyring, cache, configure
from kit import KEY, OTHER
from worlds import until

HEX = KEY.partition(" ")[2]


def refusal(*keys, **options):
    with pytest.raises(ConfigError) as raised:
        Keyring(*keys, **options)
    message = str(raised.value)
    assert "\nhint: " in message
    for key in (*keys, *options.values()):
        text = key.rpartition(" ")[2] if isinstance(key, str) else key.hex()
        assert not text or text not in message
    return message


@pytest.mark.parametrize("form", [bytes.fromhex(HEX), HEX, HEX.upper(), f" {HEX}\n"])
def test_a_key_is_bytes_or_text(form):
    assert Keyring(form).ids == Keyring(HEX).ids


def test_a_key_may_be_base64():
    import base64

    raw = bytes.fromhex(HEX)
    assert Keyring(base64.b64encode(raw).decode()).ids == Keyring(raw).ids
    assert Keyring(base64.urlsafe_b64encode(raw).decode().rstrip("=")).ids == Keyring(raw).ids


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        (b"short", "5 bytes"),
        (HEX[:-2], "bytes long, not 32|neither hexadecimal"),
        ("", "is empty"),
        ("?" * 64, "neither hexadecimal nor base64"),
        (bytes(32), "not drawn at random"),
        ("00" * 32, "not drawn at random"),
        (b"correct horse battery staple 123".replace(b" ", b"-"), "not drawn at random"),
        ("0: " + HEX, "number 0"),
        ("one: " + HEX, "no number"),
    ],
)
def test_what_is_no_key_is_refused(key, wrong):
    import re

    assert re.search(wrong, refusal(key))


def test_keys_of_other_types_are_refused():
    with pytest.raises(ConfigError, match="32 bytes or a text, not int"):
        Keyring(3)
    with pytest.raises(ConfigError, match="empty"):
        Keyring()


def test_two_keys_of_one_number_are_refused():
    assert "have the number 1" in refusal(KEY, "1" + OTHER[1:])
    assert "have the number" in refusal(HEX, HEX)


def test_nine_keys_are_the_most():
    keys = [secrets.token_bytes(32) for _ in range(10)]
    assert len(Keyring(*keys[:9]).ids) == 9
    assert "10 encryption keys" in refusal(*keys)


def test_a_keyring_shows_numbers_alone():
    keyring = Keyring(KEY, OTHER)
    assert repr(keyring) == "<Keyring: 1 seals, 2 opens>"
    description = str(Cache(keyring=keyring).describe())
    assert "<Keyring: 1 seals, 2 opens>" in description and HEX not in description


@pytest.mark.parametrize("write", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_keyring_is_not_written(write):
    with pytest.raises(TypeError, match="not copied or pickled"):
        write(Keyring(KEY))


def test_a_keyring_is_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("SHOP_KEY", f"{KEY}, {OTHER}")
    assert Keyring.from_env("SHOP_KEY").ids == (1, 2)
    with pytest.raises(ConfigError, match="NO_KEY.*not set\nhint: NO_KEY="):
        Keyring.from_env("NO_KEY")
    monkeypatch.setenv("BAD_KEY", HEX[:-1])
    with pytest.raises(ConfigError, match="environment BAD_KEY: ") as raised:
        Keyring.from_env("BAD_KEY")
    assert HEX[:-1] not in str(raised.value)


def test_a_keyring_is_read_from_a_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# the second one since March\n\n{OTHER}\n{KEY}   # until April\nnames: {HEX}\n")
    os.chmod(path, 0o600)
    assert Keyring.from_file(path).ids == Keyring.from_file(str(path)).ids == (2, 1)
    os.chmod(path, 0o622)
    with pytest.raises(ConfigError, match="others may write"):
        Keyring.from_file(path)
    with pytest.raises(ConfigError, match="cannot be read: FileNotFoundError"):
        Keyring.from_file(tmp_path / "none")


def test_a_password_gives_the_same_key_with_the_same_salt():
    made = [Keyring.from_password("correct horse", salt=salt).ids for salt in ("shop.example.com/1",) * 2]
    assert made[0] == made[1] != Keyring.from_password("correct horse", salt=b"shop.example.com/2").ids
    with pytest.raises(ConfigError, match="salt"):
        Keyring.from_password("correct horse", salt="short")


def test_a_callable_is_asked_once():
    asked = []
    rows = [(KEY, (1,)), (f"{OTHER}\n{KEY}", (2, 1)), ([OTHER, KEY], (2, 1)), ((OTHER,), (2,))]
    for given, ids in rows:
        assert Keyring.from_callback(lambda given=given: asked.append(given) or given).ids == ids
    assert asked == [given for given, _ in rows]
    raw = bytes.fromhex(HEX)
    assert Keyring.from_callback(lambda: raw).ids == Keyring(raw).ids


def test_what_a_callable_gives_is_a_key_or_refused_unseen():
    for given in (None, 7, {"key": HEX}, "", [], HEX[:-2], b"short"):
        with pytest.raises(ConfigError, match="what .*lambda") as raised:
            Keyring.from_callback(lambda given=given: given)
        assert "\nhint: " in str(raised.value) and HEX[:20] not in str(raised.value)
    with pytest.raises(KeyError):
        Keyring.from_callback(lambda: {}["vault"])


@pytest.mark.proves("configure.keyring")
def test_configuration_may_say_the_keyring(monkeypatch, place):
    from everwarm import _config

    said = _config.configured()
    cache._leave()
    try:
        configure(keyring=Keyring(KEY))
        with Cache([f"file://{place}"]) as shop:
            shop.set("k", "canary")
            assert shop.describe()["keyring"].source == "configure"
        assert not any(b"canary" in path.read_bytes() for path in place.rglob("*.value"))
    finally:
        _config.restore(said)
        cache._leave()


def test_the_environment_may_say_the_key_of_all_caches(monkeypatch):
    monkeypatch.setenv("EVERWARM_KEY", KEY)
    taken = Cache().describe()["keyring"]
    assert taken.value.ids == (1,) and taken.source == "environment EVERWARM_KEY"
    assert Cache(keyring=Keyring(OTHER)).describe()["keyring"].value.ids == (2,)


@pytest.mark.parametrize("given", [HEX, bytes.fromhex(HEX), 3])
def test_a_bare_key_is_no_keyring(given):
    for build in (lambda: Cache(keyring=given), lambda: Cache.from_dict({"keyring": given})):
        with pytest.raises(ConfigError, match="keyring is a Keyring") as raised:
            build()
        assert HEX not in str(raised.value)


def test_keys_change_while_entries_last(url):
    """Roll out as one that opens, promote, drop: old and new processes read what is there throughout."""
    first, both = Keyring(KEY), Keyring(KEY, OTHER, names=KEY)
    promoted, alone = Keyring(OTHER, KEY, names=KEY), Keyring(OTHER, names=KEY)

    def cache_of(keyring):
        return Cache([url], keyring=keyring)

    with cache_of(first) as old, cache_of(both) as rolled, cache_of(promoted) as new:
        old.set("a", "by the first key")
        assert rolled.get("a") == new.get("a") == "by the first key"
        new.set("b", "by the second key", tags=["t"])
        assert rolled.get("b") == "by the second key"
        with cache_of(alone) as last:
            assert last.get("a") is None and last.get("b") == "by the second key"
            last.invalidate_tags("t")
        until(lambda: rolled.get("b") is None)


def test_without_the_key_there_is_nothing(url):
    with Cache([url], keyring=Keyring(KEY)) as mine:
        mine.set("a", 1)
        for other in ({"keyring": Keyring(OTHER)}, {}):
            with Cache([url], **other) as theirs:
                assert theirs.get("a") is None and list(theirs.scan()) == []
        assert mine.get("a") == 1

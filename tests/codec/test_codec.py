"""A codec alone: a value to an envelope and back, by the format and the seal that stores are given."""

import pytest
from everwarm import _native

pytestmark = pytest.mark.once

VALUE = {"id": 7, "name": "Ada", "tags": ("a", "b"), "score": 1.5, "active": True}


@pytest.fixture
def codec() -> _native.Codec:
    return _native.Codec(None, "1KiB", "16MiB", None, "miss")


def test_what_is_sealed_comes_back_with_its_types(codec: _native.Codec) -> None:
    format = _native.Format("msgpack")
    opened = codec.open(codec.seal(VALUE, format), format)
    assert opened == VALUE
    assert type(opened["tags"]) is tuple


def test_what_is_damaged_or_of_another_format_is_no_value(codec: _native.Codec) -> None:
    format = _native.Format("msgpack")
    envelope = codec.seal(VALUE, format)
    for at in range(len(envelope)):
        damaged = envelope[:at] + bytes([envelope[at] ^ 1]) + envelope[at + 1 :]
        with pytest.raises(ValueError, match="hint: "):
            codec.open(damaged, format)
    with pytest.raises(ValueError, match="hint: "):
        codec.open(envelope, _native.Format("json"))


def test_what_the_format_does_not_take_is_refused(codec: _native.Codec) -> None:
    with pytest.raises(TypeError, match="hint: "):
        codec.seal(object(), _native.Format("msgpack"))

"""What caches seal and open with keeps what codecs promise, whatever it compresses and encrypts with."""

from __future__ import annotations

import everwarm
import pytest
from everwarm import Keyring
from everwarm.testing import conformance

KEY = "1: 7d8e1b5f93a64c02e5f8170b9d3c46a2f01e8b7d5c3a69e412f0d8b6c7a59e31"


@pytest.mark.parametrize("compression", [None, "lz4", "zstd:9", "gzip"])
@pytest.mark.parametrize("keyring", [None, Keyring(KEY)], ids=["plain", "sealed"])
def test_a_codec_keeps_its_promises(compression, keyring):
    conformance.check_codec(compression=compression, keyring=keyring)


def test_there_is_no_other_promise():
    assert "codec::damage_is_refused" in conformance.promises("codec")
    with pytest.raises(everwarm.ConfigError, match="did you mean .codec::damage_is_refused"):
        conformance.check_codec(only="codec::damage_is_refuse")

"""How a cache seals what it stores, but for the keyring."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import ConfigError
from everwarm._result import _Frozen


class Sealing(_Frozen):
    """How a cache seals what it stores, but for the keyring, which configuration may say."""

    __slots__ = ("compression", "compression_threshold", "max_value", "on_tamper")

    def codec(self, keyring):
        """What seals and opens; raises ``ConfigError`` for what cannot be meant."""
        for name in "compression", "on_tamper":
            said = getattr(self, name)
            if not isinstance(said, str) and (said is not None or name != "compression"):
                form = {"compression": "zstd", "on_tamper": "raise"}[name]
                raise ConfigError(
                    f'{name} is a text, not {type(said).__name__}\nhint: write `{name}="{form}"`'
                )
        return _native.Codec(
            self.compression, self.compression_threshold, self.max_value, keyring, self.on_tamper
        )


SEALING = Sealing(compression=None, compression_threshold="1KiB", max_value="16MiB", on_tamper="miss")

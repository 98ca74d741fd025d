"""What ``describe()`` shows of a cache: each field without secrets, and where it was taken from."""

from __future__ import annotations

from everwarm import _config, _tiers

# As the engine has it.
_WITHOUT_LEASE = 64


def fields(cache, settings):
    """The fields of a cache by name; ``settings`` are those that configuration may say."""
    said = getattr(cache, "_said", ())
    sealing = cache._sealing

    def taken(name, value, source=None):
        return _config.Taken(value=value, source=source or ("argument" if name in said else "default"))

    clock = cache._clock or (cache._hands[-1] if cache._hands else None)
    telling = "default" if clock is None else "argument" if clock is cache._clock else "testing"
    stores = settings["stores"]
    return {
        **settings,
        "stores": _config.masked(stores),
        "tiers": taken("tiers", _tiers.shown(stores.value, _config.MEMORY_OPTIONS), stores.source),
        "policy": taken("policy", cache._policy, "argument" if cache._policy._said else "default"),
        "format": taken("format", _named(cache._format)),
        "compression": taken("compression", sealing.compression),
        "compression_threshold": taken("compression_threshold", sealing.compression_threshold),
        "max_value": taken("max_value", sealing.max_value),
        "on_tamper": taken("on_tamper", sealing.on_tamper),
        "tenant": taken("tenant", None if cache._tenant is None else cache._tenant.name),
        "strict": taken("strict", cache._strict),
        "max_computations": taken("max_computations", cache._max_computations),
        "max_without_lease": _config.Taken(value=_without_lease(cache, stores), source="default"),
        "clock": taken("clock", "system" if clock is None else type(clock).__name__, telling),
    }


def _without_lease(cache, stores):
    """How many computations run at once that have no lease: with stores, and where no other bound is said."""
    if cache._max_computations is not None or not _tiers.shared(stores.value, _config.MEMORY_OPTIONS):
        return None
    return _WITHOUT_LEASE


def _named(given):
    """A format as it is called."""
    if isinstance(given, str):
        return given
    return getattr(given, "name", None) or getattr(given, "__name__", None) or "custom"

"""Stores by URL: what of them is built in, which options ride in their query, and how they are shown."""

from __future__ import annotations

from everwarm import _options
from everwarm._errors import ConfigError, Unsupported

# Stores that are known by name and not built in.
_ABSENT = (
    "disk file redis rediss redis+unix redis+sentinel redis+cluster memcached postgres mysql sqlite mongodb "
    "s3 gs az dynamodb http https"
).split()


def options(stores, known):
    """The options in the query of ``stores``, as texts; only those in ``known`` may be there.

    Raises ``Unsupported`` for a store that is not built in, ``ConfigError`` for what is no URL of a store.
    """
    if isinstance(stores, (list, tuple)) and len(stores) == 1:
        [stores] = stores
    if not isinstance(stores, str):
        what = "several tiers" if isinstance(stores, (list, tuple)) else f"a {type(stores).__name__}"
        raise Unsupported(f"no store for {what} is built in\nhint: leave `stores` out for memory alone")
    scheme, colon, rest = stores.partition(":")
    if not colon:
        raise ConfigError('stores is a URL, and this has no scheme\nhint: write `"memory://"`')
    if scheme in _ABSENT:
        raise Unsupported(f"no store for {scheme}: is built in\nhint: leave `stores` out for memory alone")
    if scheme != "memory":
        hint = _options.nearest(scheme, ["memory", *_ABSENT])
        raise ConfigError(f"there is no store {shown(stores)!r}\nhint: {hint}")
    place, _, query = rest.partition("?")
    if place != "//":
        raise ConfigError('memory has no host and no path\nhint: write `"memory://?max_entries=100"`')
    return _read(query, known)


def _read(query, known):
    from urllib.parse import parse_qsl

    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError(
            "the options of a memory: URL cannot be read\nhint: write `memory://?max_entries=100`"
        ) from None
    found = {}
    for name, text in pairs:
        if name not in known:
            raise ConfigError(f"memory: has no option {name[:40]!r}\nhint: {_options.nearest(name, known)}")
        if name in found:
            raise ConfigError(f"the option {name} is there twice\nhint: leave one of them")
        found[name] = text
    return found


def shown(stores, plain=()):
    """``stores`` without secrets: no user, no password, and of its options the values of ``plain`` alone."""
    if isinstance(stores, (list, tuple)):
        return ", ".join(shown(each, plain) for each in stores)
    if not isinstance(stores, str):
        return type(stores).__name__
    scheme, colon, rest = stores.partition(":")
    if not colon:
        return "***"
    # A password may hold any character, so all before the last `@` is taken for one.
    secret, at, rest = rest.rpartition("@")
    place, mark, query = rest.partition("?")
    told = ((name, text if name in plain else "***") for name, _, text in _pairs(query))
    user = ("//***@" if secret.startswith("//") else "***@") if at else ""
    return scheme[:40] + colon + user + place + mark + "&".join(map("=".join, told))


def _pairs(query):
    return [part.partition("=") for part in query.split("&")] if query else []

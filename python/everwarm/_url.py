"""URLs of stores: their options, and how they are shown without secrets."""

from __future__ import annotations

from everwarm._errors import ConfigError


def parted(url):
    """A URL without its query, and the options in it, as texts.

    Raises ``ConfigError`` for a query that cannot be read, or has an option twice.
    """
    from urllib.parse import parse_qsl

    place, _, query = url.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ConfigError(
            f"the options of a {place.partition(':')[0]}: URL cannot be read\n"
            "hint: write `memory://?max_entries=100`"
        ) from None
    options = {}
    for name, text in pairs:
        if name in options:
            raise ConfigError(f"the option {name} is there twice\nhint: leave one of them")
        options[name] = text
    return place, options


def joined(place, options):
    """The URL of a place with options, which may have some already."""
    from urllib.parse import urlencode

    return f"{place}{'&' if '?' in place else '?'}{urlencode(options)}" if options else place


def duration(text):
    """A duration in a text, as seconds where it is a number."""
    try:
        return float(text)
    except ValueError:
        return text


def flag(text):
    """A yes or no in a text.

    Raises ``ConfigError`` for what is neither.
    """
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ConfigError("this is neither yes nor no\nhint: write 1 or 0")


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

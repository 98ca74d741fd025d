"""What a `Result` says in an HTTP `Cache-Status` field (RFC 9211), in structured fields (RFC 8941)."""

from __future__ import annotations

from everwarm._errors import ConfigError

# Why the function was called.
_FORWARDED = {"miss": "miss", "follower": "miss", "refreshed": "request", "bypass": "bypass"}

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_TOKEN = _LETTERS | frozenset("0123456789!#$%&'*+-.^_`|~:/")


def member(result, name, key):
    """The member of the list that a cache of this name adds."""
    parts = [_named(name)]
    forwarded = _FORWARDED.get(result.status)
    if forwarded is None:
        parts.append("hit")
    else:
        parts.append(f"fwd={forwarded}")
        if result.version:
            parts.append("stored")
        if result.status == "follower":
            parts.append("collapsed")
    if result.ttl is not None:
        parts.append(f"ttl={int(result.ttl // 1)}")
    if key and result.key:
        parts.append(f"key={_text(_printable(result.key))}")
    if result.tier is not None:
        parts.append(f"detail={_named(result.tier)}")
    return ";".join(parts)


def _named(name):
    """A token if it can be one, else a text."""
    if not isinstance(name, str) or not name or _printable(name) != name:
        raise ConfigError('a cache is named in printable ASCII\nhint: write `result.cache_status("shop")`')
    is_token = (name[0] in _LETTERS or name[0] == "*") and _TOKEN.issuperset(name)
    return name if is_token else _text(name)


def _text(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


def _printable(text):
    """The text with all that is no printable ASCII as percent-encoded UTF-8."""
    if text.isascii() and text.isprintable():
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    return "".join(chr(byte) if 32 <= byte < 127 else f"%{byte:02X}" for byte in encoded)

"""The tiers of a cache, near to far: memory, and stores that are named by URL or given as objects."""

from __future__ import annotations

import math
import os

# The bell is there before any fork: a child whose parent was importing it could not.
from everwarm import _bell, _native, _options, _tier, _url  # noqa: F401
from everwarm._errors import ConfigError, Unsupported
from everwarm._moving import Moving
from everwarm._tier import Tier

# Stores that are built in, first those that answer on the thread that asks, and those known by name alone.
EMBEDDED = ("disk", "file", "sqlite")
_REDIS = ("redis", "rediss", "redis+unix", "redis+sentinel", "redis+cluster")
# Stores behind a connection.
_DATABASES = ("postgresql", "postgres", "mysql", "mariadb", "mongodb", "mongodb+srv")
_REMOTE = (*_REDIS, "memcached", "memcacheds", *_DATABASES, "dynamodb", "s3", "gs", "az", "http", "https")
BUILT_IN = (*EMBEDDED, *_REMOTE)
# What others call a scheme.
_ELSEWHERE = {"unix": "redis+unix", "valkey": "redis", "valkeys": "rediss", "mongo": "mongodb", "gcs": "gs"}

# The option of memory that is a tier's, and no setting of the cache.
_TTL = "ttl"

# What an object has to have, to be a store.
_VERBS = ("get", "set", "delete", "clear")


def memory(stores, known):
    """The options of the memory in front, as texts; None if there is no memory. Checks all tiers.

    Raises ``Unsupported`` for a store that is not built in, ``ConfigError`` for what is no store.
    """
    options = _read(stores, known)[0]
    return options and {name: text for name, text in options.items() if name != _TTL}


def memory_span(stores, known):
    """The longest that memory keeps what lies in stores, in seconds, and for ever; None without memory."""
    options = _read(stores, known)[0]
    if options is None:
        return None
    return _native.seconds(_url.duration(options[_TTL])) if _TTL in options else math.inf


def shared(stores, known):
    """The tiers behind memory, near to far."""
    return _read(stores, known)[1]


def beside(stores):
    """The tier beside them, and what it is: ``old``, ``left`` or ``new``; None unless the cache moves."""
    last = stores[-1] if isinstance(stores, (list, tuple)) else stores
    if not isinstance(last, Moving):
        return None
    return _whole(last._beside()), last._role()


def shown(stores, known):
    """The tiers as a text, near to far, each with the options of a tier that it has."""
    options, tiers = _read(stores, known)
    names = [] if options is None else ["memory"]
    if options and _TTL in options:
        names = [f"memory (ttl={memory_span(stores, known):g})"]
    for tier in tiers:
        said = [] if tier.ttl is None else [f"ttl={tier.ttl:g}"]
        said += [] if tier.write in (None, "through") else [f"write={tier.write}"]
        kind = _scheme(tier.store) or type(tier.store).__name__
        # What is around a store behind a connection without a word is said, too.
        unsaid = _tier.LAYERS if kind in _REMOTE else {}
        for name in ("timeout", "breaker", "retry", "bulkhead"):
            value = getattr(tier, name)
            value = unsaid.get(name) if value is None else value
            said += [] if value is None else [f"{name}={_shown(value)}"]
        names.append(f"{kind} ({', '.join(said)})" if said else kind)
    other = beside(stores)
    if other is not None:
        tier, role = other
        kind = _scheme(tier.store) or type(tier.store).__name__
        names.append(f"beside: {kind} ({_ROLES[role]})")
    return ", ".join(names)


_ROLES = {"new": "new, hears of changes", "old": "old, read", "left": "old, hears of changes"}


def _shown(value):
    if type(value) is bool:
        return "on" if value else "off"
    return f"{value:g}"


def _read(stores, known):
    if isinstance(stores, (list, tuple)):
        if not stores:
            raise ConfigError('stores names no tier\nhint: write `stores=["memory://"]`, or leave it out')
        options, tiers = None, []
        for at, store in enumerate(stores):
            if _scheme(store) == "memory":
                if at:
                    raise ConfigError(
                        "memory stands behind a store, and is the nearest tier\n"
                        f'hint: write `["memory://", {_url.shown(stores[0])!r}, ...]`'
                    )
                options = _of_memory(store, known)
            elif isinstance(store, Moving) and at + 1 < len(stores):
                raise ConfigError(
                    "what moves is the last tier, and others stand behind this one\n"
                    "hint: write `Moving(...)` as the last of `stores`"
                )
            else:
                tiers.append(_whole(store))
        return _in_front(options, tiers), tiers
    if _scheme(stores) == "memory":
        return _in_front(_of_memory(stores, known), []), []
    return {}, [_whole(stores)]


def _in_front(options, tiers):
    """The options of memory, where these tiers are behind it."""
    if options and _TTL in options and not tiers:
        raise ConfigError(
            "the ttl of memory is how long it keeps what lies in a store, and no store is behind it\n"
            'hint: write `ttl=` in the policy, or `["memory://?ttl=10s", "disk:"]`'
        )
    return options


def _each(stores):
    """The stores as users gave them, those that a cache moves between among them."""
    for store in stores if isinstance(stores, (list, tuple)) else [stores]:
        for one in (store.old, store.new) if isinstance(store, Moving) else [store]:
            yield one.store if isinstance(one, Tier) else one


def _scheme(store):
    return store.partition(":")[0] if isinstance(store, str) else None


def _of_memory(url, known):
    place, options = _url.parted(url)
    if place != "memory://":
        raise ConfigError('memory has no host and no path\nhint: write `"memory://?max_entries=100"`')
    for name in options:
        if name not in (*known, _TTL):
            hint = _options.nearest(name, (*known, _TTL))
            raise ConfigError(f"memory: has no option {name[:40]!r}\nhint: {hint}")
    if _TTL in options:
        try:
            Tier(None, ttl=_url.duration(options[_TTL]))
        except ConfigError as error:
            raise ConfigError(f"memory: ttl: {error}") from None
    return options


def _whole(given):
    """The tier that users gave as a URL, a store or a ``Tier``, without options in its URL."""
    if isinstance(given, Moving):
        _whole(given._beside())
        given = given._used()
    tier = given if isinstance(given, Tier) else Tier(given)
    if isinstance(tier.store, str):
        return _of_url(tier)
    store = tier.store
    missing = [verb for verb in _VERBS if not callable(getattr(store, verb, None))]
    if missing or isinstance(store, type):
        raise ConfigError(
            f"stores takes URLs and stores, and {type(store).__name__} has no "
            f"{' and no '.join(missing)}\n"
            'hint: write `"disk:"`, or give an object that keeps to `everwarm.Store`'
        )
    if tier.timeout is not None:
        raise _unlimited(f"a {type(store).__name__}")
    return tier


def _of_url(tier):
    scheme, colon, _ = tier.store.partition(":")
    if not colon:
        raise ConfigError('stores is a URL, and this has no scheme\nhint: write `"memory://"` or `"disk:"`')
    if scheme == "memory":
        hint = 'write `["memory://?ttl=10s", Tier(...)]`'
        raise ConfigError(f"memory is in front, and no tier with options\nhint: {hint}")
    if scheme not in BUILT_IN:
        known = _ELSEWHERE.get(scheme)
        hint = f"did you mean {known}:?" if known else _options.nearest(scheme, ["memory", *BUILT_IN])
        raise ConfigError(f"there is no store {_url.shown(tier.store)!r}\nhint: {hint}")
    place, options = _url.parted(tier.store)
    if tier.timeout is not None:
        options["timeout"] = f"{tier.timeout:.6f}s"
    if "timeout" in options and scheme in EMBEDDED:
        raise _unlimited(f"{scheme}:")
    said, own = _tier.of_options(scheme, options)
    url = _url.joined(_absolute(place), own)
    _native.check_store(url)
    return tier._over(said, url)


def _absolute(place):
    """The place of a store as it is by now: a process may go to another directory."""
    if not place.startswith(("sqlite://./", "sqlite://../")):
        return place
    from urllib.parse import quote

    return "sqlite://" + os.path.normpath(f"{quote(os.getcwd())}/{place[len('sqlite://') :]}")


def _unlimited(what):
    return Unsupported(
        f"{what} has no time limit: it answers on the thread that asks, which nothing can end\n"
        "hint: leave `timeout` out; a store of your own raises `TimeoutError` when its own limit is over"
    )


def directories(stores):
    """The directories of the stores of a cache, if all of them are this host's own; else None."""
    found = []
    for tier in _each(stores):
        scheme = _scheme(tier)
        if scheme in EMBEDDED:
            place = tier.partition(":")[2].partition("?")[0]
            found.append(os.path.dirname(place[2:]) if scheme == "sqlite" else _directory(place))
        elif scheme != "memory":
            return None
    return found


def _directory(path):
    if path.strip("/"):
        return "/" + path.lstrip("/")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "everwarm")


def dependence(stores):
    """What entries depend on where no policy says it: the source, where a host's files outlive the code."""
    tiers = stores if isinstance(stores, (list, tuple)) else [stores]
    # Names stay what they are on the way from an old store to a new one.
    tiers = [tier.old if isinstance(tier, Moving) else tier for tier in tiers]
    return "source" if any(_scheme(store) in EMBEDDED for store in _each(tiers)) else "nothing"

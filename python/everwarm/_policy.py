"""How a function keeps its entries: one frozen class, whose fields are the keywords of ``cache(...)``."""

from __future__ import annotations

from everwarm import _native, _options
from everwarm._errors import ConfigError


class Policy:
    """How a decorated function keeps its entries; frozen.

    * ``ttl``: how long an entry is fresh: seconds, ``"1h30m"``, a ``timedelta``, or None for no expiry.
      Left out, it is that of the configuration, and else None.
    * ``jitter``: the fraction of the ttl by up to which each entry's is shortened at random, so that entries
      written together do not expire together.
    * ``cache_none``: whether None is stored.
    * ``when``: a function of the result; False: it is returned, not stored.
    * ``key``: what tells calls apart, if not all arguments: a function of the call's arguments, or a template
      such as ``"{user.id}"``.
    * ``tags``: texts and templates such as ``"user:{user_id}"``, or a function of the call's arguments that
      gives texts. ``cache.invalidate_tags("user:3")`` lets all entries with that tag go.
    * ``tags_from_result``: a function of the result that gives further tags.
    * ``version``: part of the stored name; change it when the meaning of the values changes.
    * ``name``: the function's name in stored names; functions with the same name and version share their
      entries.
    * ``max_entry_bytes``: a value that weighs more is returned, not stored: bytes, ``"1MB"``, or None for no
      such bound.
    * ``isolate``: whether values are copied deeply on their way in and out, so that no caller changes what
      others are given.
    * ``max_items``: what a generator yields is stored if it is no more than so many items.
    * ``format``: how values are written in stores: ``"msgpack"``, ``"json"``, ``"arrow"``, ``"pickle"``,
      ``(dumps, loads)``, or an object with both; None: as the cache says.
    * ``schema``: a text that stands for the values' schema in stored names; None: a fingerprint of the
      return annotation, so that another annotation makes a clean miss.
    * ``depends_on``: ``"source"``: entries in stores hold as long as the function's source is the same;
      ``"nothing"``; None: ``"source"`` where the cache has a ``disk:`` or ``file:`` store.
    * ``tenant``: whose entries a call may meet: the name of a parameter, a template such as ``"{user.org}"``,
      a function of the call's arguments, or a ``ContextVar``; None: as the cache says. A call without a
      tenant goes past the cache.
    * ``encrypted``: whether values may leave the function's callers only sealed: the cache has to have a
      keyring.
    * ``strict``: whether what cannot be done is raised, as for ``Cache``; None: as the cache says.

    Raises ``ConfigError`` for values that cannot be meant, ``UnknownOption`` for keywords that do not exist.

    >>> from everwarm import Policy
    >>> short = Policy(ttl="5m", jitter=0.1)
    >>> short.replace(ttl=30)
    Policy(ttl=30, jitter=0.1)
    >>> short == Policy(ttl="5m", jitter=0.1)
    True
    """

    __slots__ = (
        "ttl",
        "jitter",
        "cache_none",
        "when",
        "key",
        "tags",
        "tags_from_result",
        "version",
        "name",
        "max_entry_bytes",
        "_said",
        "isolate",
        "format",
        "schema",
        "depends_on",
        "max_items",
        "tenant",
        "encrypted",
        "strict",
        "_terms",
    )

    @_options.known
    def __init__(
        self,
        *,
        ttl=...,
        jitter=0.0,
        cache_none=True,
        when=None,
        key=None,
        tags=(),
        tags_from_result=None,
        version="",
        name=None,
        max_entry_bytes=None,
        isolate=False,
        max_items=10_000,
        format=None,
        schema=None,
        depends_on=None,
        tenant=None,
        encrypted=False,
        strict=None,
    ):
        if not callable(tags) and not isinstance(tags, str):
            tags = _as_tuple(tags)
        fields = {
            "ttl": ttl,
            "jitter": jitter,
            "cache_none": cache_none,
            "when": when,
            "key": key,
            "tags": tags,
            "tags_from_result": tags_from_result,
            "version": version,
            "name": name,
            "max_entry_bytes": max_entry_bytes,
            "isolate": isolate,
            "format": format,
            "schema": schema,
            "depends_on": depends_on,
            "tenant": tenant,
            "encrypted": encrypted,
            "strict": strict,
        }
        if format is not None:
            check_format(format)
        for name, flag in ("encrypted", encrypted), ("strict", strict):
            if not isinstance(flag, bool) and (flag is not None or name != "strict"):
                raise ConfigError(
                    f"{name} is True or False, not {type(flag).__name__}\nhint: write `{name}=True`"
                )
        terms = _native.Terms(**fields)
        if ttl is ...:
            fields["ttl"] = None
        fields["max_items"] = _number(max_items)
        for field, value in fields.items():
            object.__setattr__(self, field, value)
        object.__setattr__(self, "_terms", terms)

    def replace(self, **keywords):
        """The same policy but for ``keywords``."""
        return Policy(**{**self._sayings(), **keywords})

    def _sayings(self):
        """The fields that were given; what was not is left to the cache and its configuration."""
        return {name: getattr(self, name) for name in _FIELDS if name in self._said}

    def __setattr__(self, name, value):
        raise AttributeError(f"a policy is frozen\nhint: write `policy.replace({name}=...)`")

    def __delattr__(self, name):
        raise AttributeError(f"a policy is frozen\nhint: write `policy.replace({name}=...)`")

    def __eq__(self, other):
        if not isinstance(other, Policy):
            return NotImplemented
        return self._sayings() == other._sayings()

    def __hash__(self):
        return hash(tuple(self._sayings().items()))

    def __repr__(self):
        said = (f"{name}={value!r}" for name, value in self._sayings().items())
        return f"Policy({', '.join(said)})"

    def __reduce__(self):
        return _rebuilt, (self._sayings(),)


_FIELDS = Policy.__init__.__wrapped__.__kwdefaults__


def _rebuilt(fields):
    return Policy(**fields)


def _number(max_items):
    if isinstance(max_items, int) and not isinstance(max_items, bool) and max_items >= 1:
        return max_items
    raise ConfigError(
        f"max_items must be a whole number of at least 1, not {max_items!r}\n"
        "hint: write `max_items=10_000`; to store nothing, do not decorate"
    )


def _as_tuple(tags):
    try:
        return tuple(tags)
    except TypeError:
        return tags  # refused, with a hint, by what checks the tags


def check_format(format):
    """Raises ``ConfigError`` for what is no format."""
    from everwarm._format import format_of

    format_of(format)

"""How a function keeps its entries: one frozen class, whose fields are the keywords of ``cache(...)``."""

from __future__ import annotations

from everwarm import _native, _options
from everwarm._callables import check_fields
from everwarm._errors import ConfigError


class Policy:
    """How a decorated function keeps its entries; frozen.

    * ``ttl``: how long an entry is fresh: seconds, ``"1h30m"``, a ``timedelta``, or None for no expiry; or a
      function of the result that gives one of these, or ``DO_NOT_STORE``.
      Left out, it is that of the configuration, and else None.
    * ``jitter``: the fraction of the ttl by up to which each entry's is shortened at random, so that entries
      written together do not expire together.
    * ``refresh_ahead``: a fresh value is computed anew in the background, on access, once this fraction of
      its ttl has passed; or ``"xfetch"``, ``"xfetch:1.5"``: at random, the earlier the longer its computation
      took.
    * ``refresh_every``: a value that was read since it was computed is computed anew in the background once
      it is so old, whoever asks for it then.
    * ``sliding``: whether an entry that is read lives on: a read has its ttl begin anew once no more than
      half of it is left; or the fraction that may be left, such as ``0.1``.
    * ``sliding_max_age``: the age at which an entry is fresh no longer, however often it is read; left out,
      30 days.
    * ``stale_while_revalidate``: how long after its ttl a value is served while it is computed anew in the
      background.
    * ``serve_stale_next_time``: whether an old value is served however old it is, and computed anew in the
      background, so that the next call has the new one.
    * ``stale_if_error``: how long after its ttl a value is served if computing it anew fails.
    * ``stale_if_error_on``: the classes of exceptions for which it is, as ``except`` names them; None: all.
    * ``error_backoff``: how long the old value is served after a failure before the next attempt.
    * ``fallback``: what callers are given when the computation fails and there is no old value: a value, or a
      function of the exception. It is never stored.
    * ``negative_ttl``: how long None is remembered; or a dict of such durations for classes of exceptions,
      and for None. A remembered exception is raised again.
    * ``negative_on``: the classes of exceptions that are remembered for ``negative_ttl``.
    * ``negative_growth``, ``negative_max_ttl``: by what that grows with each further one in a row, and up to
      what: a day, if nothing is said.
    * ``cache_none``: whether None is stored.
    * ``when``: a function of the result; False: it is returned, not stored.
    * ``key``: what tells calls apart, if not all arguments: a function of the call's arguments, or a template
      such as ``"{user.id}"``.
    * ``tags``: texts and templates such as ``"user:{user_id}"``, or a function of the call's arguments that
      gives texts. ``cache.invalidate_tags("user:3")`` lets all entries with that tag go.
    * ``tags_from_result``: a function of the result that gives further tags.
    * ``index``: the names of up to four parameters, or True for all of them, by which
      ``function.invalidate_where(user_id=3)`` finds the entries that it lets go.
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
    * ``depends_on``: ``"source"``: entries in stores hold as long as the function's source is the same,
      and for a partial the arguments it holds; ``"nothing"``; None: ``"source"`` where the cache has a
      ``disk:``, ``file:`` or ``sqlite:`` store.
    * ``upgrade``: what the function's ``schema`` or ``version`` was before: texts, or a mapping from each to
      a function that makes a value of today of one of then, or None. A miss also looks there, and what is
      found is stored anew.
    * ``tenant``: whose entries a call may meet: the name of a parameter, a template such as ``"{user.org}"``,
      a function of the call's arguments, or a ``ContextVar``; None: as the cache says. A call without a
      tenant goes past the cache.
    * ``encrypted``: whether values may leave the function's callers only sealed: the cache has to have a
      keyring.
    * ``strict``: whether what cannot be done is raised, as for ``Cache``; None: as the cache says.
    * ``refresh_context``: the context variables of a computation in the background: ``"copy"``, those of the
      call that began it, or ``"empty"``, none.
    * ``soft_timeout``: how long a call may take before it is served an old value, if there is one.
    * ``hard_timeout``: how long a call may take before it raises ``Timeout``, or is served an old value.
      After either the computation goes on in the background: on a thread of the pool, or as a task.
    * ``on_timeout``: what becomes of the value of a computation that goes on so: ``"store"``, if it is still
      valid, or ``"discard"``.
    * ``wait_timeout``: how long a call waits for another's computation before it computes as well, or for a
      permit to compute before it raises ``Timeout``.
    * ``max_computations``: how many computations of the function run at once; None: as many as are asked for.
    * ``on_cancel``: what becomes of the computation of a call that is cancelled or interrupted:
      ``"hand_over"`` ends it, and who waits begins anew; ``"continue"`` has it go on in the background.

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
        "refresh_ahead",
        "refresh_every",
        "sliding",
        "sliding_max_age",
        "stale_while_revalidate",
        "serve_stale_next_time",
        "stale_if_error",
        "stale_if_error_on",
        "error_backoff",
        "fallback",
        "negative_ttl",
        "negative_on",
        "negative_growth",
        "negative_max_ttl",
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
        "upgrade",
        "max_items",
        "tenant",
        "encrypted",
        "strict",
        "index",
        "refresh_context",
        "soft_timeout",
        "hard_timeout",
        "on_timeout",
        "wait_timeout",
        "max_computations",
        "on_cancel",
        "_terms",
    )

    @_options.known
    def __init__(
        self,
        *,
        ttl=...,
        jitter=0.0,
        refresh_ahead=None,
        refresh_every=None,
        sliding=False,
        sliding_max_age="30d",
        stale_while_revalidate=None,
        serve_stale_next_time=False,
        stale_if_error=None,
        stale_if_error_on=None,
        error_backoff=10,
        fallback=...,
        negative_ttl=None,
        negative_on=None,
        negative_growth=1.0,
        negative_max_ttl=None,
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
        upgrade=(),
        tenant=None,
        encrypted=False,
        strict=None,
        index=None,
        refresh_context="copy",
        soft_timeout=None,
        hard_timeout=None,
        on_timeout="store",
        wait_timeout="30s",
        max_computations=None,
        on_cancel="hand_over",
    ):
        if not callable(tags) and not isinstance(tags, str):
            tags = _as_tuple(tags)
        if not isinstance(index, (str, bool)) and index is not None:
            index = _as_tuple(index)
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
            "upgrade": _older(upgrade, depends_on) if upgrade != () else (),
            "tenant": tenant,
            "encrypted": encrypted,
            "strict": strict,
            "index": index,
        }
        if format is not None:
            check_format(format)
        for name, flag in ("encrypted", encrypted), ("strict", strict):
            if not isinstance(flag, bool) and (flag is not None or name != "strict"):
                raise ConfigError(
                    f"{name} is True or False, not {type(flag).__name__}\nhint: write `{name}=True`"
                )
        windows = {
            "refresh_ahead": refresh_ahead,
            "refresh_every": refresh_every,
            "sliding": sliding,
            "sliding_max_age": sliding_max_age,
            "stale_while_revalidate": stale_while_revalidate,
            "serve_stale_next_time": serve_stale_next_time,
            "stale_if_error": stale_if_error,
            "stale_if_error_on": stale_if_error_on,
            "error_backoff": error_backoff,
            "fallback": fallback,
            "negative_ttl": negative_ttl,
            "negative_on": negative_on,
            "negative_growth": negative_growth,
            "negative_max_ttl": negative_max_ttl,
        }
        if refresh_context not in ("copy", "empty"):
            raise ConfigError('refresh_context is "copy" or "empty"\nhint: write `refresh_context="empty"`')
        limits = {
            "soft_timeout": soft_timeout,
            "hard_timeout": hard_timeout,
            "on_timeout": on_timeout,
            "wait_timeout": wait_timeout,
            "max_computations": max_computations,
            "on_cancel": on_cancel,
        }
        terms = _native.Terms(**fields, windows=windows, limits=_native.Limits(**limits))
        fields.update(windows)
        fields.update(limits, refresh_context=refresh_context)
        if ttl is ...:
            fields["ttl"] = None
        fields["max_items"] = _number(max_items)
        check_fields(fields)
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
        sayings = self._sayings().items()
        return hash(tuple((name, _hashable(value)) for name, value in sayings))

    def __repr__(self):
        said = (f"{name}={value!r}" for name, value in self._sayings().items())
        return f"Policy({', '.join(said)})"

    def __reduce__(self):
        return _rebuilt, (self._sayings(),)


_FIELDS = Policy.__init__.__wrapped__.__kwdefaults__


def _rebuilt(fields):
    return Policy(**fields)


def _hashable(value):
    """Something that is equal for equal values and has a hash."""
    return frozenset(value.items()) if isinstance(value, dict) else value


def _number(max_items):
    if isinstance(max_items, int) and not isinstance(max_items, bool) and max_items >= 1:
        return max_items
    raise ConfigError(
        f"max_items must be a whole number of at least 1, not {max_items!r}\n"
        "hint: write `max_items=10_000`; to store nothing, do not decorate"
    )


def _older(upgrade, depends_on):
    from everwarm._upgrade import declared

    return declared(upgrade, depends_on)


def _as_tuple(texts):
    try:
        return tuple(texts)
    except TypeError:
        return texts  # refused, with a hint, by what checks them


def check_format(format):
    """Raises ``ConfigError`` for what is no format."""
    from everwarm._format import format_of

    format_of(format)


_LIMITS = ("soft_timeout", "hard_timeout", "max_computations", "on_cancel")


def refuse_limits(policy, wrapped, kind, reason, *others):
    """Raises ``ConfigError`` for limits of a computation that is not the cache's alone, and ``others``."""
    for name in (*_LIMITS, *others):
        if getattr(policy, name) != _FIELDS[name]:
            raise ConfigError(
                f"{name} is not for {kind} such as {wrapped.__qualname__}, which {reason}\n"
                f"hint: leave {name} out, or limit what the function itself waits for"
            )


def refuse_items(cache, wrapped, policy):
    """Raises ``ConfigError`` for a ``max_items`` that a function which yields nothing was given."""
    if policy.max_items not in (_FIELDS["max_items"], cache._policy.max_items):
        raise ConfigError(
            f"max_items is not for {getattr(wrapped, '__qualname__', wrapped)}, which yields nothing\n"
            "hint: leave max_items out; `max_entry_bytes` bounds what a value may weigh"
        )

"""Why a call would be a hit or a miss, as a value and as a sentence."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import KeyRefused
from everwarm._result import _Frozen


class Explanation(_Frozen):
    """Why a call would be a hit or a miss; its ``str`` is a sentence that says what to do.

    * ``status``: what the call would be now: ``"hit"``, ``"stale"`` (an old value), ``"miss"``,
      ``"follower"`` (somebody is computing it), ``"bypass"`` (it goes past the cache) or ``"refused"`` (its
      arguments cannot be a key).
    * ``reason``: ``"fresh"``; ``"stale"`` and ``"held"`` of an old value that would be computed anew, or not
      yet since an attempt failed; ``"remembered"`` of an exception; ``"computing"``, ``"disabled"``,
      ``"refused"``; of a miss ``"never_stored"``, ``"expired"``, ``"evicted"``, ``"invalidated"``,
      ``"cleared"``, ``"marked_stale"``, ``"stale_if_error"`` (an old value is there in case the
      computation fails), ``"too_heavy"``, ``"not_storable"``, or ``"unknown"`` where nothing is remembered.
    * ``by``: the tag or the verb that let the entry go, or the bound that it is too heavy for, else None.
    * ``argument``: the parameter, or the keyword of ``**``, that alone tells the nearest entry from this
      call, else None.
    * ``types``: the names of its two types, this call's first, if they differ, else None.
    * ``age``, ``ttl``: of an entry that is there, seconds since it was written and seconds it has left; else
      None.
    * ``refresh_in``: seconds until it is computed anew ahead of its end; 0 if that is due.
    * ``stale_for``: seconds until it is no longer served old while it is computed anew.
    * ``fallback_for``: seconds until it no longer stands for a computation that fails.
    * ``retry_in``: seconds until the next attempt, after one that failed. These four are None where the entry
      has no such window, or there is no entry.
    * ``soft_timeout``, ``hard_timeout``, ``wait_timeout``: the time limits of the call, in seconds, or None.
    * ``tiers``: where the call looks, near to far; empty if it goes past the cache or is refused.
    * ``schema``: the schema id in stored names; None if there are no stores.
    * ``key``: the stored name; empty if refused.
    * ``sentence``: the reason, in words.

    All of it is about memory: what stores have is not looked at.
    """

    __slots__ = (
        "status",
        "reason",
        "by",
        "argument",
        "types",
        "age",
        "ttl",
        "refresh_in",
        "stale_for",
        "fallback_for",
        "retry_in",
        "soft_timeout",
        "hard_timeout",
        "wait_timeout",
        "tiers",
        "schema",
        "key",
        "sentence",
    )

    def __str__(self):
        return self.sentence


_STATUS = {
    "fresh": "hit",
    "stale": "stale",
    "held": "stale",
    "remembered": "hit",
    "computing": "follower",
    "disabled": "bypass",
}

_LEFT = {
    "stale": "a stale hit: its ttl is over; it is served for another {} s, and computed anew behind",
    "held": "a stale hit: its ttl is over, and computing it anew failed or is done elsewhere; it is served "
    "until the next attempt, for another {} s at most",
    "remembered": "an exception that was remembered, and is raised for another {} s",
    "stale_if_error": "a miss: its ttl is over; should its computation fail, the old value is served, for "
    "another {} s",
}

_SENTENCES = {
    "computing": "a miss that waits: somebody is computing it at this moment, and the value will be shared",
    "disabled": "past the cache: it is disabled, by `everwarm.disabled()` or a unit of work around this "
    "code, or for the whole process; the function runs, and nothing is read or stored",
    "expired": "a miss: its entry has expired; a longer `ttl` would keep it",
    "evicted": "a miss: its entry made room for others; a larger `max_entries` would keep it",
    "marked_stale": "a miss: its entry was demoted by `mark_stale`, and the next call computes it anew",
    "not_storable": "a miss: its value was computed and not stored; look at `when`, `cache_none`, the "
    "callables of tags, `using(read_only=True)`, `on_timeout`, and whether it is an iterator",
    "never_stored": "a miss: nothing was ever stored for it; call it once, or `prime` it",
    "unknown": "a miss: it is not there, and nothing is remembered of why; the next call computes it",
}


def explain(function, args, kwargs):
    """What is known of a call's entry."""
    try:
        told = _native.explain(function, function._namespace, args, kwargs)
    except KeyRefused as error:
        return _explanation("refused", "refused", sentence=f"refused: {error}")
    (reason, by, parameters, types, age, ttl, key), windows, (tiers, schema), times = told
    refresh_in, stale_for, fallback_for, retry_in = windows
    soft_timeout, hard_timeout, wait_timeout = times
    status = _STATUS.get(reason, "miss")
    sentence = _sentence(reason, by, ttl) + _difference(parameters, types)
    return _explanation(
        status,
        reason,
        by=by,
        argument=parameters[0] if len(parameters) == 1 else None,
        types=types,
        age=age,
        ttl=ttl,
        refresh_in=refresh_in,
        stale_for=stale_for,
        fallback_for=fallback_for,
        retry_in=retry_in,
        soft_timeout=soft_timeout,
        hard_timeout=hard_timeout,
        wait_timeout=wait_timeout,
        tiers=tuple(tiers),
        schema=schema,
        key=key,
        sentence=sentence + _ahead(refresh_in, retry_in) + _beyond(status, tiers),
    )


_NOTHING = dict.fromkeys(Explanation.__slots__) | {"tiers": (), "key": ""}


def _explanation(status, reason, **known):
    return Explanation(**(_NOTHING | {"status": status, "reason": reason} | known))


def _ahead(refresh_in, retry_in):
    """When something is done about the entry, if nothing is done yet."""
    if retry_in is not None:
        return f"; the next attempt comes in {retry_in:.3g} s"
    if refresh_in:
        return f"; from {refresh_in:.3g} s on a call computes it anew behind"
    return ""


def _beyond(status, tiers):
    """What is asked before anything is computed."""
    # A store may be called memory, too.
    stores = tiers[1:] if tiers[:1] == ["memory"] else tiers
    if status != "miss" or not stores:
        return ""
    return f"; that is what memory knows, and {' and '.join(stores)} would be asked first"


def _sentence(reason, by, ttl):
    if reason == "fresh":
        left = "without end" if ttl is None else f"for another {ttl:.3g} s"
        return f"a hit: a fresh entry is there {left}; `refresh` computes it anew"
    if reason in _LEFT:
        return _LEFT[reason].format(f"{ttl:.3g}")
    if reason == "invalidated":
        what = "its key was invalidated" if by == "invalidate" else f"its tag {by!r} was invalidated"
        return f"a miss: {what}, and the next call computes it anew"
    if reason == "cleared":
        what = "the whole cache" if by == "cache.clear" else "its function"
        return f"a miss: {what} was cleared, and the next call computes it anew"
    if reason == "too_heavy":
        return (
            f"a miss: its value was computed and weighs more than `{by}` allows; a larger one would keep it"
        )
    return _SENTENCES[reason]


def _difference(parameters, types):
    """How the nearest entry differs."""
    if not parameters:
        return ""
    named = ", ".join(f"`{name}`" for name in parameters)
    if types is None:
        return f"; the nearest entry differs in {named}"
    here, there = types
    return f"; the nearest entry differs in {named}, which is of type {there} there and {here} here"

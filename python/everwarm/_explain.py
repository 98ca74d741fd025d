"""Why a call would be a hit or a miss, as a value and as a sentence."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import KeyRefused
from everwarm._result import _Frozen


class Explanation(_Frozen):
    """Why a call would be a hit or a miss; its ``str`` is a sentence that says what to do.

    * ``status``: what the call would be now: ``"hit"``, ``"miss"``, ``"follower"`` (somebody is computing
      it), ``"bypass"`` (it goes past the cache) or ``"refused"`` (its arguments cannot be a key).
    * ``reason``: ``"fresh"``, ``"computing"``, ``"disabled"``, ``"refused"``; of a miss
      ``"never_stored"``, ``"expired"``, ``"evicted"``, ``"invalidated"``, ``"cleared"``, ``"marked_stale"``,
      ``"not_storable"``, or ``"unknown"`` where nothing is remembered.
    * ``by``: the tag or the verb that let the entry go, else None.
    * ``argument``: the parameter that alone tells the nearest entry from this call, else None.
    * ``types``: the names of its two types, this call's first, if they differ, else None.
    * ``age``, ``ttl``: of a hit, seconds since it was written and seconds it has left; else None.
    * ``key``: the stored name; empty if refused.
    * ``sentence``: all of it, in words.
    """

    __slots__ = ("status", "reason", "by", "argument", "types", "age", "ttl", "key", "sentence")

    def __str__(self):
        return self.sentence


_STATUS = {"fresh": "hit", "computing": "follower", "disabled": "bypass"}

_SENTENCES = {
    "computing": "a miss that waits: somebody is computing it at this moment, and the value will be shared",
    "disabled": "past the cache: it is disabled, by `everwarm.disabled()` around this code or for the whole "
    "process; the function runs, and nothing is read or stored",
    "expired": "a miss: its entry has expired; a longer `ttl` would keep it",
    "evicted": "a miss: its entry made room for others; a larger `max_entries` would keep it",
    "marked_stale": "a miss: its entry was demoted by `mark_stale`, and the next call computes it anew",
    "not_storable": "a miss: its value was computed and not stored; look at `when`, `cache_none`, the "
    "callables of tags, `using(read_only=True)`, and whether it is an iterator",
    "never_stored": "a miss: nothing was ever stored for it; call it once, or `prime` it",
    "unknown": "a miss: it is not there, and nothing is remembered of why; the next call computes it",
}


def explain(function, args, kwargs):
    """What is known of a call's entry."""
    try:
        told = _native.explain(function, function._namespace, args, kwargs)
    except KeyRefused as error:
        return _explanation("refused", "refused", sentence=f"refused: {error}")
    reason, by, parameters, types, age, ttl, key = told
    return _explanation(
        _STATUS.get(reason, "miss"),
        reason,
        by=by,
        argument=parameters[0] if len(parameters) == 1 else None,
        types=types,
        age=age,
        ttl=ttl,
        key=key,
        sentence=_sentence(reason, by, ttl) + _difference(parameters, types),
    )


def _explanation(status, reason, *, sentence, by=None, argument=None, types=None, age=None, ttl=None, key=""):
    return Explanation(
        status=status,
        reason=reason,
        by=by,
        argument=argument,
        types=types,
        age=age,
        ttl=ttl,
        key=key,
        sentence=sentence,
    )


def _sentence(reason, by, ttl):
    if reason == "fresh":
        left = "without end" if ttl is None else f"for another {ttl:.3g} s"
        return f"a hit: a fresh entry is there {left}; `refresh` computes it anew"
    if reason == "invalidated":
        what = "its key was invalidated" if by == "invalidate" else f"its tag {by!r} was invalidated"
        return f"a miss: {what}, and the next call computes it anew"
    if reason == "cleared":
        return "a miss: its function or its cache was cleared, and the next call computes it anew"
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

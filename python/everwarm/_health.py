"""Health: how a cache and each of its tiers are, what that means for calls, and what to do about it."""

from __future__ import annotations

from everwarm import _config, _native, _options, _tiers
from everwarm._cache import Cache
from everwarm._drive import _running_loop, awaitable
from everwarm._errors import ConfigError
from everwarm._policy import Policy
from everwarm._result import _Frozen

# Seconds for which an answer is given again: whoever asks often asks no store more often.
KEPT = 5.0


class Advice(_Frozen):
    """Something that is not as it should be.

    * ``about``: what it is about, in a word, such as ``"eviction"``.
    * ``message``: what is so, and what follows from it.
    * ``hint``: what to do.
    """

    __slots__ = ("about", "message", "hint")


class TierHealth(_Frozen):
    """How one tier is.

    * ``name``: ``"memory"``, or the kind of its store, such as ``"redis"``.
    * ``state``: ``"ok"``, ``"degraded"`` (it works, but not as it should) or ``"down"`` (it does nothing).
    * ``latency``: seconds that it took to answer; None for memory, and if it did not.
    * ``last_error``: the kind of its last failure in this process, such as ``"timeout"``, or None.
    * ``last_error_age``: how many seconds ago that was.
    * ``breaker``: ``"closed"``, ``"open"`` or ``"half-open"``; None if it has none.
    * ``means``: what the state means, as a sentence.
    * ``hint``: what to do; None if it is ok.
    * ``facts``: what it says of itself, by name: numbers and texts.
    * ``warnings``: what is not as it should be, each an ``Advice``; settings leave the state as it is.
    """

    __slots__ = (
        "name",
        "state",
        "latency",
        "last_error",
        "last_error_age",
        "breaker",
        "means",
        "hint",
        "facts",
        "warnings",
    )

    def __bool__(self):
        return self.state == "ok"

    def __hash__(self):
        return hash((self.name, self.state, self.means))

    def __str__(self):
        took = "" if self.latency is None else f" in {_milliseconds(self.latency)}"
        lines = [f"{self.name}: {self.state}{took}; {self.means}"]
        lines += [f"  hint: {self.hint}"] if self.hint else []
        for advice in self.warnings:
            if advice.message != self.means:
                lines += [f"  {advice.about}: {advice.message}", f"    hint: {advice.hint}"]
        return "\n".join(lines)


class Health(_Frozen):
    """How a cache is; true if all of its tiers are ok.

    * ``state``: ``"ok"``, ``"down"`` if no tier does anything, else ``"degraded"``.
    * ``level``: how closely was looked: ``"ping"``, ``"basic"`` or ``"full"``.
    * ``tiers``: each as ``TierHealth``, near to far.

    Its text has a line for each tier and each warning.

    >>> from everwarm import Cache
    >>> health = Cache(max_entries=100).health()
    >>> health
    <Health ok: memory ok>
    >>> bool(health), health.tiers[0].facts["max_entries"]
    (True, 100)
    """

    __slots__ = ("state", "level", "tiers")

    def __bool__(self):
        return self.state == "ok"

    def to_dict(self):
        """The same as dicts, lists, texts and numbers, as JSON has them."""
        tiers = []
        for tier in self.tiers:
            fields = {**tier._fields(), "facts": dict(tier.facts)}
            tiers.append({**fields, "warnings": [advice._fields() for advice in tier.warnings]})
        return {"state": self.state, "level": self.level, "tiers": tiers}

    def __str__(self):
        return "\n".join(map(str, self.tiers))

    def __repr__(self):
        tiers = ", ".join(f"{tier.name} {tier.state}" for tier in self.tiers)
        return f"<Health {self.state}: {tiers}>"


LEVELS = ("ping", "basic", "full")


def of(cache, level):
    """The health of a cache, looked at now or within the last ``KEPT`` seconds."""
    return _kept(cache, level).get_or_compute(level, lambda: _told(cache, level, cache._look_over(level)))


async def aof(cache, level):
    """As ``of``, awaited."""

    async def look():
        return _told(cache, level, await _looked_over(cache, level))

    return await _kept(cache, level).aget_or_compute(level, look)


async def _looked_over(cache, level):
    loop = _running_loop()
    if loop is None or not cache._is_far():
        return cache._look_over(level)
    fields = cache._alook_over(level)
    if type(fields) is not _native.Errand:
        return fields
    await awaitable(fields, loop)
    return fields.value()


def _kept(cache, level):
    """Where answers are kept: in a cache, so that many who ask at once ask the stores once."""
    if level not in LEVELS:
        hint = _options.nearest(str(level)[:40], LEVELS)
        raise ConfigError(f"there is no level of health {str(level)[:40]!r}\nhint: {hint}")
    # Tests take a cache's table and its clock away; that it is closed need not be asked of anybody.
    about = (cache._resolve(), tuple(cache._hands), cache._is_closed())
    there = cache.__dict__.setdefault("_healths", {})
    if about not in there:
        # Of several who come here at once the first decides.
        there.setdefault(about, _made(cache))
        for other in list(there):
            if other != about:
                there.pop(other, None)
    return there.get(about) or _made(cache)


def _made(cache):
    """A cache for answers about this one, whose clock it has."""
    # What is configured for caches is not meant for this one, least of all a key: it keeps nobody's values.
    plain = {"max_entries": len(LEVELS), "max_bytes": None, "eviction": "lru", "keyring": None}
    kept = Cache(["memory://"], namespace="", clock=cache._clock, policy=Policy(ttl=KEPT), **plain)
    for hand in cache._hands:
        kept._hold(hand)
    return kept


def _told(cache, level, fields):
    # Memory whose values are sealed is a tier like others.
    is_plain = _tiers.memory(cache._stores, _config.MEMORY_OPTIONS) is not None and not cache._codec.is_secret
    tiers = [_memory(cache)] if is_plain or cache._is_closed() else []
    for each in fields:
        warnings = tuple(
            Advice(about=about, message=message, hint=hint) for about, message, hint in each["warnings"]
        )
        tiers.append(TierHealth(**{**each, "warnings": warnings}))
    states = {tier.state for tier in tiers}
    state = states.pop() if len(states) == 1 else "degraded"
    return Health(state=state, level=level, tiers=tuple(tiers))


def _memory(cache):
    is_closed = cache._is_closed()
    held = cache.stats()
    facts = {
        "entries": held.entries,
        "max_entries": cache.max_entries,
        "used_bytes": held.bytes if cache.max_bytes else None,  # else nothing is weighed
        "max_bytes": cache.max_bytes,
        "eviction": cache.eviction,
    }
    return TierHealth(
        name="memory",
        state="down" if is_closed else "ok",
        latency=None,
        last_error="closed" if is_closed else None,
        last_error_age=None,
        breaker=None,
        means="the cache is closed: its functions compute, and nothing is kept"
        if is_closed
        else "it answers",
        hint="make a new cache" if is_closed else None,
        facts={name: value for name, value in facts.items() if value is not None},
        warnings=(),
    )


def _milliseconds(seconds):
    return f"{seconds * 1000:.3g} ms"

"""Callables that policies and caches are given: whether they can be called as they will be."""

from __future__ import annotations

from types import FunctionType, MethodType

from everwarm._errors import ConfigError
from everwarm._signature import (
    NAMED,
    REST,
    is_async_generator_function,
    is_generator_function,
    runs_as_coroutine,
)

# What gets one argument, and how it is written.
_OF_ONE = {
    "ttl": "lambda result: ...",
    "fallback": "lambda error: ...",
    "when": "lambda result: ...",
    "tags_from_result": "lambda result: ...",
}

# What gets the arguments of each call.
_OF_CALLS = {
    "key": "lambda user: user.id",
    "tags": 'lambda user: [f"user:{user.id}"]',
    "tenant": "lambda user: ...",
}

# Whose answer may be a generator.
_LISTS = frozenset({"tags", "tags_from_result", "keys", "fallback"})


def check_fields(fields):
    """Raises ``ConfigError`` for callables of a policy that could not be called, or not at once."""
    for name, form in _OF_ONE.items():
        given = fields[name]
        if _is_told(given):
            check(name, given, form, 1)
    for name, form in _OF_CALLS.items():
        given = fields[name]
        if _is_told(given):
            check_kind(name, given, form)


def check_calls(policy, wrapped, parameters):
    """Raises ``ConfigError`` for callables of a policy that can take no call of the function."""
    for name, form in _OF_CALLS.items():
        given = getattr(policy, name)
        if _is_told(given):
            check_arguments(name, given, form, wrapped, parameters)


def check(name, given, form, count):
    """Raises ``ConfigError`` for what is awaited, and for what cannot take ``count`` arguments."""
    check_kind(name, given, form)
    taken = _taken(given)
    if taken is None:
        return
    least, most, needed, _ = taken
    if least <= count and (most is None or count <= most) and not needed:
        return
    what = "one argument" if count == 1 else f"{count} arguments"
    raise ConfigError(
        f"{name}= is called with {what}, and this cannot take them\nhint: write `{name}={form}`"
    )


def check_kind(name, given, form):
    """Raises ``ConfigError`` for coroutine functions and generators, of which a call runs nothing."""
    if runs_as_coroutine(given) or is_async_generator_function(given):
        kind = "coroutine function"
    elif name not in _LISTS and is_generator_function(given):
        kind = "generator function"
    else:
        return
    raise ConfigError(
        f"{name}= is called, not awaited, and this is a {kind}\nhint: write a plain function: `{name}={form}`"
    )


def check_arguments(name, given, form, wrapped, parameters):
    """Raises ``ConfigError`` for what can take no call of a function with these parameters."""
    taken = _taken(given)
    if taken is None:
        return
    least, most, needed, others = taken
    plain = [one for one in parameters if one[1] not in (REST, NAMED)]
    required = sum(not has_default for _, _, has_default, _, _ in plain)
    endless = len(plain) < len(parameters)
    too_few = not endless and least + needed > len(plain)
    too_many = most is not None and others is not None and required > most + others
    if too_few or too_many:
        function = getattr(wrapped, "__qualname__", type(wrapped).__name__)
        raise ConfigError(
            f"{name}= is called with the arguments of {function}, and this cannot take them\n"
            f"hint: write it with the same parameters, as in `{name}={form}`"
        )


def _is_told(given):
    return callable(given) and not isinstance(given, type)


def _taken(function):
    """What it takes: by position at least and at most, by name needed and at most; None: who knows."""
    kind = type(function)
    if kind is MethodType:
        return _without(_taken(function.__func__), 1)
    if kind.__name__ == "partial" and hasattr(function, "func"):
        return None if function.keywords else _without(_taken(function.func), len(function.args))
    if kind is not FunctionType:
        call = getattr(kind, "__call__", None)  # noqa: B004 (the function itself is wanted)
        return _without(_taken(call), 1) if type(call) is FunctionType else None
    code, defaults = function.__code__, function.__defaults__ or ()
    named = code.co_kwonlyargcount
    return (
        code.co_argcount - len(defaults),
        None if code.co_flags & 0x04 else code.co_argcount,
        named - len(function.__kwdefaults__ or ()),
        None if code.co_flags & 0x08 else named,
    )


def _without(taken, count):
    """What is left to take after so many by position."""
    if taken is None:
        return None
    least, most, needed, others = taken
    return max(least - count, 0), None if most is None else max(most - count, 0), needed, others

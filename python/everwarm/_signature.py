"""What a callable takes, read from its code object; ``inspect`` is asked only about those that have none."""

from __future__ import annotations

from everwarm._errors import ConfigError
from everwarm._keyed import Keyed, NotKeyed

# The kinds of parameters, as ``inspect`` numbers them.
POSITIONAL_ONLY, PLAIN, REST, KEYWORD_ONLY, NAMED = range(5)

# Flags of code objects.
_TAKES_REST, _TAKES_NAMED, _GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = (
    0x04,
    0x08,
    0x20,
    0x80,
    0x100,
    0x200,
)


# What a callable takes of which nobody can say more: arguments are keyed as they come.
ANY = [("args", REST, False, None, None), ("kwargs", NAMED, False, None, None)]


def parameters(function):
    """The parameters of a callable: ``(name, kind, has default, default, treatment)`` each.

    The treatment is None for content, False for "no part of the key", else what makes the keyed part of the
    value. A callable is read by its own code, never by what it wraps: a wrapper may treat an omitted and an
    explicit default differently.
    """
    kind = type(function).__name__
    if hasattr(function, "__func__") and hasattr(function, "__self__"):
        return parameters(function.__func__)[1:]
    if kind == "partial" and hasattr(function, "func"):
        return _of_partial(function)
    if hasattr(function, "__code__"):
        return _of_code(function)
    call = _call_of(function)
    if not isinstance(function, type) and hasattr(call, "__code__"):
        return _of_code(call)[1:]
    return _of_signature(function)


def is_generator_function(function):
    """Whether calling it gives a generator, of either world."""
    flags = _flags(_innermost(function))
    return bool(flags & (_GENERATOR | _ASYNC_GENERATOR)) and not flags & _ITERABLE_COROUTINE


def is_async_generator_function(function):
    """Whether calling it gives an asynchronous generator."""
    return bool(_flags(_innermost(function)) & _ASYNC_GENERATOR)


def runs_as_coroutine(function):
    """Whether its own code is that of a coroutine."""
    return bool(_flags(_innermost(function)) & (_COROUTINE | _ITERABLE_COROUTINE))


def is_coroutine_function(function):
    """Whether calling it gives a coroutine."""
    if runs_as_coroutine(function):
        return True
    function = _innermost(function)
    return any(hasattr(function, mark) for mark in ("_is_coroutine_mark", "_is_coroutine_marker"))


def _innermost(function):
    """What a partial or a method calls in the end."""
    while type(function).__name__ == "partial" and hasattr(function, "func"):
        function = function.func
    return getattr(function, "__func__", function)


def _flags(function):
    code = getattr(function, "__code__", None) or getattr(_call_of(function), "__code__", None)
    return 0 if code is None else code.co_flags


def _call_of(function):
    """What calling an instance of the callable's class runs."""
    return getattr(type(function), "__call__", None)  # noqa: B004 (the function itself is wanted)


def _of_code(function):
    code = function.__code__
    positional = code.co_argcount
    names = code.co_varnames
    defaults = function.__defaults__ or ()
    keyword_defaults = function.__kwdefaults__ or {}
    first_default = positional - len(defaults)
    treatments = _treatments(function)
    found = []
    for index, name in enumerate(names[:positional]):
        kind = POSITIONAL_ONLY if index < code.co_posonlyargcount else PLAIN
        has_default = index >= first_default
        found.append(
            (
                name,
                kind,
                has_default,
                defaults[index - first_default] if has_default else None,
                treatments.get(name),
            )
        )
    end = positional + code.co_kwonlyargcount
    if code.co_flags & _TAKES_REST:
        found.append((names[end], REST, False, None, treatments.get(names[end])))
    for name in names[positional:end]:
        has_default = name in keyword_defaults
        found.append((name, KEYWORD_ONLY, has_default, keyword_defaults.get(name), treatments.get(name)))
    if code.co_flags & _TAKES_NAMED:
        name = names[end + bool(code.co_flags & _TAKES_REST)]
        found.append((name, NAMED, False, None, treatments.get(name)))
    return found


def _of_partial(partial):
    """Positional arguments are gone; a keyword given is a default, from which on all is by keyword."""
    given = len(partial.args)
    found = []
    by_keyword = False
    for name, kind, has_default, default, treatment in parameters(partial.func):
        if given and kind in (POSITIONAL_ONLY, PLAIN):
            given -= 1
            continue
        if name in partial.keywords and kind in (PLAIN, KEYWORD_ONLY):
            by_keyword = True
            has_default, default = True, partial.keywords[name]
        if by_keyword and kind == PLAIN:
            kind = KEYWORD_ONLY
        if by_keyword and kind == REST:
            continue
        found.append((name, kind, has_default, default, treatment))
    return found


def _of_signature(function):
    import inspect

    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ANY
    return [
        (
            parameter.name,
            int(parameter.kind),
            parameter.default is not parameter.empty,
            None if parameter.default is parameter.empty else parameter.default,
            _treatment(parameter.annotation),
        )
        for parameter in signature.parameters.values()
    ]


def _treatments(function):
    """What the annotations say, for the parameters they say something of."""
    found = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():
        if isinstance(annotation, str):
            if "Keyed" not in annotation:
                continue
            annotation = _evaluated(function, name, annotation)
        treatment = _treatment(annotation)
        if treatment is not None:
            found[name] = treatment
    return found


def _evaluated(function, name, annotation):
    try:
        return eval(
            annotation, getattr(function, "__globals__", {})
        )  # the function's own source, as typing does it
    except Exception as error:
        raise ConfigError(
            f"the annotation of `{name}` of {function.__qualname__} cannot be read: {error}\n"
            "hint: import at run time what the annotation names, or give `key=` instead"
        ) from error


def _treatment(annotation):
    for mark in getattr(annotation, "__metadata__", ()):
        if mark is NotKeyed or isinstance(mark, NotKeyed):
            return False
        if isinstance(mark, Keyed):
            return mark.function()
        if mark is Keyed:
            raise ConfigError('`Keyed` does not say by what\nhint: write `Keyed(by="id")`')
    return None

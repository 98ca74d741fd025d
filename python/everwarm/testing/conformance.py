"""The contract as checks, for stores and formats written in Python, and for the layers around stores."""

from __future__ import annotations

from everwarm import _native, _options
from everwarm._errors import ConfigError
from everwarm._tier import Tier
from everwarm.testing import _formats

__all__ = ["check", "check_codec", "check_format", "check_layers", "format_outcome", "outcome", "promises"]


def promises(suite=None):
    """The names of all promises of stores, in the contract's order, or of one suite.

    Suites are ``"store"`` and the names of facets, and beside them ``"layers"``, ``"codec"``, ``"format"``.

    >>> from everwarm.testing import conformance
    >>> conformance.promises()[0]
    'store::what_was_set_is_found'
    >>> conformance.promises("touch")[0]
    'touch::it_sets_the_ttl_from_now_on'
    >>> conformance.promises("format")[0]
    'format::a_value_comes_back_as_it_was'

    ``ConfigError`` for a suite that there is not.
    """
    names = _native.promises()
    if suite is None:
        return names
    names = [*names, *_native.promises(beside=True), *_formats.NAMES]
    suites = dict.fromkeys(name.partition("::")[0] for name in names)
    if suite not in suites:
        raise ConfigError(f'there is no suite "{str(suite)[:40]}"\nhint: the suites are {", ".join(suites)}')
    return [name for name in names if name.startswith(f"{suite}::")]


def check(open, *, only=None):
    """Holds the stores that ``open`` gives to the contract; the ``AssertionError`` names each broken promise.

    ``open`` is called once for each handle on a place. Without a parameter each handle is a place of its own.
    With one it is given the place, and two calls with the same place stand for two processes that use it:
    ``place.directory`` is an empty directory, ``place.clock()`` gives seconds by a clock that the suite moves
    (a store that reads it is not waited for), ``place.once(make)`` is what the handles of a place share.

    ``only`` is the name of one promise. Promises of facets that the store does not offer are left out.
    ``ConfigError`` for an ``open`` that cannot be called and a promise that there is not.

    >>> from everwarm.testing import conformance, open_store
    >>> conformance.check(lambda: open_store("memory://"), only="store::a_set_replaces_whole")
    """
    _hold("store", promises(), only, lambda name: outcome(open, name))


def outcome(open, name):
    """What becomes of one promise: None if kept, False if its facet is not offered, else how it is broken.

    >>> from everwarm.testing import conformance, open_store
    >>> conformance.outcome(lambda: open_store("memory://"), "scan::a_name_is_in_one_page") is None
    True
    """
    return _native.check_promise(open, _takes_place(open), _known(name, promises()))


def check_layers(open, *, breaker=None, retry=None, bulkhead=None, only=None):
    """Holds stores behind layers to the contract of stores, and the layers to what they promise of a store.

    ``open`` is as for ``check``, the layers are those of ``Tier``. A failed promise of ``"layers"`` says that
    answers, failures or changes get lost on the way, one of a store that it does not keep its own when it is
    asked as often and as late as these layers ask. A ``timeout`` is none of them: what answers on the thread
    that asks is never late.

    >>> from everwarm.testing import conformance, open_store
    >>> opened = lambda: open_store("memory://")
    >>> conformance.check_layers(opened, retry=True, bulkhead=8, only="layers::a_change_is_made_once")
    """
    tier = Tier(None, breaker=breaker, retry=retry, bulkhead=bulkhead)
    if breaker is None and retry is None and bulkhead is None:
        raise ConfigError(
            "there is no layer to check\nhint: write `retry=True`, `breaker=True` or `bulkhead=64`"
        )
    takes_place = _takes_place(open)
    _hold(
        "store behind its layers",
        [*promises("layers"), *promises()],
        only,
        lambda name: _native.check_promise(open, takes_place, name, tier),
    )


def check_codec(*, compression=None, keyring=None, only=None):
    """Holds what a cache with these options seals and opens to what codecs promise.

    ``compression`` and ``keyring`` are as for ``Cache``. What was sealed is opened as it was, under its own
    key, function, namespace and tenant alone; damage anywhere and bytes of anybody are refused.

    >>> from everwarm.testing import conformance
    >>> conformance.check_codec(compression="zstd")
    """
    codec = _native.Codec(compression, 1, "16MiB", keyring, "miss")
    _hold(
        "codec",
        promises("codec"),
        only,
        lambda name: _native.check_promise(codec, False, name),
    )


def check_format(format, values, *, annotation=None, only=None):
    """Holds a format to what formats promise; the ``AssertionError`` names each broken promise.

    ``format`` is what ``Cache(format=...)`` takes, ``values`` are such as your functions return, each kind
    once at least. ``annotation`` is the return annotation that names their classes, where they have some.
    A value comes back equal and of its very type, or ``dumps`` refuses it; bytes of anybody raise an
    ``Exception`` or are a value, and run nothing.

    ``ConfigError`` for what is no format, no value, and a promise that there is not.

    >>> from everwarm.testing import conformance
    >>> conformance.check_format("json", [1, "a", {"b": [None, 2.5]}])
    """
    values = list(values)
    _hold("format", _formats.NAMES, only, lambda name: _formats.outcome(format, values, name, annotation))


def format_outcome(format, values, name, *, annotation=None):
    """What becomes of one promise of a format: None if kept, False if not offered, else how it is broken.

    >>> from everwarm.testing import conformance
    >>> conformance.format_outcome("pickle", [1], "format::bytes_run_no_code")
    False
    """
    return _formats.outcome(format, values, _known(name, _formats.NAMES), annotation)


def _hold(what, names, only, outcome):
    broken = []
    for name in names if only is None else [_known(only, names)]:
        kept = outcome(name)
        if isinstance(kept, str):
            broken.append(f"{name}: {kept}")
    if broken:
        raise AssertionError("\n".join([f"{len(broken)} promises of the {what} are broken", *broken]))


def _known(name, names):
    if name not in names:
        hint = _options.nearest(str(name)[:80], names) if len(names) < 10 else "`promises()` has them all"
        raise ConfigError(f"there is no promise {str(name)[:80]!r}\nhint: {hint}")
    return name


def _takes_place(open):
    from inspect import Parameter, signature

    if not callable(open):
        raise ConfigError(
            f"open gives stores, and a {type(open).__name__} cannot be called\n"
            "hint: give a callable: `lambda: MyStore()`, or `lambda place: MyStore(place.directory)`"
        )
    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = signature(open).parameters.values()
    except ValueError:
        return False
    return any(each.kind in positional and each.default is Parameter.empty for each in parameters)

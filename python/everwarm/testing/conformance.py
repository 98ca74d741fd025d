"""The contract of stores as checks, for stores written in Python."""

from __future__ import annotations

from everwarm import _native
from everwarm._errors import ConfigError

__all__ = ["check", "outcome", "promises"]


def promises(suite=None):
    """The names of all promises, in the contract's order, or of one suite: ``"store"`` or a facet's name.

    >>> from everwarm.testing import conformance
    >>> conformance.promises()[0]
    'store::what_was_set_is_found'
    >>> conformance.promises("touch")[0]
    'touch::it_sets_the_ttl_from_now_on'

    ``ConfigError`` for a suite that there is not.
    """
    names = _native.promises()
    if suite is None:
        return names
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

    >>> from everwarm.testing import conformance, open_store
    >>> conformance.check(lambda: open_store("memory://"), only="store::a_set_replaces_whole")
    """
    names = _native.promises() if only is None else [only]
    broken = []
    for name in names:
        kept = outcome(open, name)
        if isinstance(kept, str):
            broken.append(f"{name}: {kept}")
    if broken:
        raise AssertionError("\n".join([f"{len(broken)} promises of the store are broken", *broken]))


def outcome(open, name):
    """What becomes of one promise: None if kept, False if its facet is not offered, else how it is broken.

    >>> from everwarm.testing import conformance, open_store
    >>> conformance.outcome(lambda: open_store("memory://"), "scan::a_name_is_in_one_page") is None
    True
    """
    return _native.check_promise(open, _takes_place(open), name)


def _takes_place(open):
    from inspect import Parameter, signature

    positional = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = signature(open).parameters.values()
    except ValueError:
        return False
    return any(each.kind in positional and each.default is Parameter.empty for each in parameters)

"""What the entries of a function were called before an upgrade, and what becomes of their values."""

from __future__ import annotations

from functools import partial

from everwarm._callables import check
from everwarm._errors import ConfigError

# Each costs a miss a look or two.
_MOST = 8


def declared(upgrade, depends_on):
    """``upgrade=`` as pairs of a text and what converts, or None; raises ``ConfigError``."""
    hint = 'hint: write `upgrade=["user-1"]`, or `upgrade={"user-1": lambda old: ...}`'
    if isinstance(upgrade, str) or not hasattr(upgrade, "__iter__"):
        kind = type(upgrade).__name__
        raise ConfigError(f"upgrade is a mapping or a list of what was before, not {kind}\n{hint}")
    pairs = []
    for entry in upgrade.items() if hasattr(upgrade, "items") else upgrade:
        before, convert = entry if isinstance(entry, tuple) and len(entry) == 2 else (entry, None)
        if not isinstance(before, str):
            raise ConfigError(f"a schema or version is a text, not {type(before).__name__}\n{hint}")
        if convert is not None and not callable(convert):
            raise ConfigError(f"what converts is a callable, not {type(convert).__name__}\n{hint}")
        if convert is not None:
            check("upgrade", convert, '{"user-1": lambda old: ...}', 1)
        pairs.append((before, convert))
    if len(pairs) > _MOST:
        raise ConfigError(
            f"upgrade names {len(pairs)} schemas or versions, more than {_MOST}\n"
            "hint: leave out the oldest, whose entries are computed anew"
        )
    if depends_on == "source":
        raise ConfigError(
            "entries that depend on the function's source cannot be upgraded: it was another one\n"
            'hint: leave `depends_on` out, or write `depends_on="nothing"`'
        )
    return tuple(pairs)


def names(pairs, now, form, make, items=None):
    """``(version, schema, format, convert)`` of each name that entries may have had.

    ``now`` is the version, the schema alone, and the schema in stored names; ``make`` makes the function's
    format for another annotation; ``items`` is the class of what it yields, if it is a generator function.
    A text may have been the schema or the version, so both are looked for.
    """
    version, alone, whole = now
    found = {}
    for before, convert in pairs:
        older = form if convert is None else _format_of_parameter(convert, form, make)
        if items is not None and convert is not None:
            convert = partial(_items_of, items, convert)
        as_schema, as_version = (
            (version, _joined(version, _schema_of(before, items))),
            (before, _joined(before, alone)),
        )
        for place in [as_schema, as_version] if before else [as_version]:
            if place != (version, whole):
                found.setdefault(place, (*place, older, convert))
    return list(found.values())


def _items_of(items, convert, old):
    return items(convert(old), old.returned)


def _schema_of(before, items):
    if items is None:
        return before
    from everwarm._schema import of_items

    return of_items(before)


def _joined(version, schema):
    return ".".join(filter(None, (version, schema)))


def _format_of_parameter(convert, form, make):
    """The format that rebuilds the classes which a converter says it takes."""
    from everwarm._schema import annotation_of_parameter

    annotation = annotation_of_parameter(convert)
    return form if annotation is None else make(annotation)

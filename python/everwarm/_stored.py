"""How the values of a function are called and written in stores: its name, its schema and its format."""

from __future__ import annotations

import sys
from functools import partial

from everwarm import _report, _tiers
from everwarm._errors import ConfigError
from everwarm._load import load
from everwarm._signature import is_generator_function


def of_function(function, cache, policy):
    """``(name, schema, format, older)`` of a function in the stores of ``cache``; None if it stays in memory.

    ``older`` has ``(version, schema, format, convert)`` for each name that its entries may have had before.

    What has no name that another process could know stays in memory, which is said once.
    """
    name, secret = policy.name or _name(function), cache._codec.is_secret
    if name is None:
        shown = getattr(function, "__qualname__", type(function).__name__)
        _report.local(shown, "other processes cannot know it by name", 'write `name="..."`', secret)
        return None
    schemas = load("everwarm._schema")
    annotation = schemas.annotation_of(function)
    if hasattr(function, "_value_of"):  # a batch keeps each of its values apart
        annotation = function._value_of(annotation)
    given = cache._format if policy.format is None else policy.format
    items = load("everwarm._replay").Items if is_generator_function(function) else None
    make = partial(load("everwarm._format").format_of, given, limit=cache._codec.max_value, items=items)
    form = make(annotation)
    _seal_pickles(form, cache)
    alone = _schema_alone(policy, annotation, schemas, items)
    schema = _schema(function, cache, policy, alone)
    older = []
    if policy.upgrade:
        now = (policy.version, alone, schema)
        older = load("everwarm._upgrade").names(policy.upgrade, now, form, make, items)
    return name, schema, form, older


def of_objects(cache):
    """The format of a cache's own entries."""
    given = cache._format if cache._policy.format is None else cache._policy.format
    form = load("everwarm._format").format_of(given, limit=cache._codec.max_value)
    _seal_pickles(form, cache)
    return form


def refuse_pickles(stores):
    """Raises ``ConfigError`` where pickles would come from stores that others may write to."""
    if _tiers.directories(stores) is None:
        raise ConfigError(
            "a pickle from a store runs whatever its writer wants, and no key says who wrote it\n"
            'hint: write `Cache(..., keyring=Keyring.from_env("SHOP_KEY"))`, or choose another format'
        )


def _seal_pickles(form, cache):
    if not form.needs_authentication or cache._codec.is_secret:
        return
    refuse_pickles(cache._stores)
    from everwarm._keyring import of_user

    cache._codec.seal_pickles(of_user(_tiers.directories(cache._stores)))


def _schema_alone(policy, annotation, schemas, items):
    alone = schemas.schema_id(annotation) if policy.schema is None else policy.schema
    return alone if items is None else schemas.of_items(alone)


def _schema(function, cache, policy, alone):
    parts = [policy.version, alone]
    depends = policy.depends_on
    if depends is None:
        # What is to be found from before an upgrade was made by other code.
        depends = "nothing" if policy.upgrade else cache._depends_on
    if depends == "source":
        parts.append(load("everwarm._schema").source_digest(function))
    return ".".join(filter(None, parts))


def _name(function):
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not module or not name or "<" in name:
        return None
    if module == "__main__":
        spec = getattr(sys.modules.get("__main__"), "__spec__", None)
        file = getattr(sys.modules.get("__main__"), "__file__", None)
        if spec is not None:
            module = spec.name
        elif file:
            module = file.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
        else:
            return None
    return f"{module}.{name}"

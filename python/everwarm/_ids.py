"""The ids of a batch: where they stand, what the function is given of them, and what its caller gets."""

from __future__ import annotations

from _collections_abc import Mapping, Set  # without the cost of importing `collections`

from everwarm import _native
from everwarm._errors import BatchMismatch, ConfigError, KeyRefused
from everwarm._signature import KEYWORD_ONLY, NAMED, POSITIONAL_ONLY, REST, parameters

# What an annotation's outermost name says of the collection.
_KINDS = {
    "tuple": tuple,
    "Tuple": tuple,
    "frozenset": frozenset,
    "FrozenSet": frozenset,
    "set": set,
    "Set": set,
    "AbstractSet": set,
    "MutableSet": set,
    "KeysView": set,
    "dict": dict,
    "Dict": dict,
    "Mapping": dict,
    "MutableMapping": dict,
}


# Most collections are of one of these classes, which need not be asked what they are.
_EXACT = frozenset({list, tuple, set, frozenset, dict})


class Argument:
    """The parameter of a function that takes the ids."""

    __slots__ = ("default", "has_default", "index", "kind", "name", "title")

    def __init__(self, function, name):
        self.title = getattr(function, "__qualname__", type(function).__name__)
        found = list(enumerate(parameters(function)))
        if name is None:
            found = [at for at in found if at[1][0] not in ("self", "cls")][:1]
        else:
            found = [at for at in found if at[1][0] == name]
        if not found or found[0][1][1] in (REST, NAMED):
            asked = "a first parameter" if name is None else f"a parameter `{name}`"
            raise ConfigError(
                f"{self.title} is to be a batch and has not {asked} that could take the ids\n"
                'hint: write `def f(ids: list[int])`, or name it: `@cache.batch(argument="ids")`'
            )
        index, (self.name, kind, self.has_default, self.default, _) = found[0]
        # Where it stands among positional arguments, if it can.
        self.index = None if kind == KEYWORD_ONLY else index
        if kind == POSITIONAL_ONLY:
            self.name = None
        self.kind = _kind_of(getattr(function, "__annotations__", {}).get(found[0][1][0]))

    def find(self, args, kwargs):
        """``(args, kwargs, place)`` of a call, the place counted over all of them; None if it has no ids."""
        if self.index is not None and self.index < len(args):
            return args, kwargs, self.index
        if self.name is not None and self.name in kwargs:
            return args, kwargs, len(args) + list(kwargs).index(self.name)
        if self.has_default and self.name is not None:
            return self.find(args, {**kwargs, self.name: self.default})
        return None

    def single(self, args, kwargs):
        """The call for the id that stands in the place of the ids."""
        args, kwargs, place = self.find(args, kwargs)
        each = args[place] if place < len(args) else kwargs[self.name]
        given = self.alone(each)
        if place < len(args):
            args = (*args[:place], given, *args[place + 1 :])
        else:
            kwargs = {**kwargs, self.name: given}
        return Call(self, args, kwargs, place)

    def alone(self, each):
        """The collection of one, as the function says that it takes it."""
        return each if self.kind is dict else self.kind((each,))


class Call:
    """One call of a batch: its arguments, and the ids among them."""

    __slots__ = ("args", "argument", "details", "ids", "kind", "kwargs", "place")

    def __init__(self, argument, args, kwargs, place):
        self.argument, self.args, self.kwargs, self.place = argument, args, kwargs, place
        given = args[place] if place < len(args) else kwargs[argument.name]
        kind = type(given)
        self.kind = kind = kind if kind in _EXACT else _kind_of_given(given, argument.title)
        self.details = dict(given) if kind is dict else None
        self.ids = list(given)

    def stands(self):
        """What stands in the place of the ids in the call of each alone."""
        if self.details is None:
            return self.ids
        return [{each: self.details[each]} for each in self.ids]

    def with_ids(self, given):
        """The arguments with something else in the place of the ids."""
        if self.place < len(self.args):
            return (*self.args[: self.place], given, *self.args[self.place + 1 :]), self.kwargs
        return self.args, {**self.kwargs, self.argument.name: given}

    def of_each(self, place):
        """The arguments of the call of one id alone."""
        each = self.ids[place]
        return self.with_ids(each if self.details is None else {each: self.details[each]})

    def of_some(self, places):
        """The arguments of a call with the ids in these places only."""
        ids = [self.ids[place] for place in places]
        if self.details is not None:
            return self.with_ids({each: self.details[each] for each in ids})
        return self.with_ids(ids if self.kind is list else self.kind(ids))

    def others(self):
        """The values of all other arguments, and the names of those that are named."""
        named = sorted(self.kwargs)
        values = [*self.args, *(self.kwargs[name] for name in named)]
        at = self.place
        if at >= len(self.args):
            at = len(self.args) + named.index(self.argument.name)
        return values[:at] + values[at + 1 :], tuple(named)

    def joined(self, calls):
        """The one call of several that differ in their ids alone."""
        if self.details is not None:
            given = {each: detail for call in calls for each, detail in call.details.items()}
        else:
            given = self.kind([each for call in calls for each in call.ids])
        return Call(self.argument, *self.with_ids(given), self.place)

    def places(self, ids):
        """Where each of these stands, which are all of its ids: a set has them in an order of its own."""
        if self.kind in (list, tuple):
            return range(len(ids))
        found = {each: place for place, each in enumerate(self.ids)}
        return [found[each] for each in ids]

    def split(self, places, size):
        """The places of each call of the function: no more than ``size``, and no two ids that are ``==``.

        Where the function answers by a mapping, it could not tell ``1`` from ``True``.
        """
        # All first ids of their equals, then all second ones, and so on.
        rounds, before = [], {}
        for place in places:
            each = mark(self.ids[place])
            number = before[each] = before.get(each, -1) + 1
            if number == len(rounds):
                rounds.append([])
            rounds[number].append(place)
        size = size or len(places)
        return [some[at : at + size] for some in rounds for at in range(0, len(some), size)]

    def read(self, result, places):
        """The value of each of these ids; None for one that the function does not have.

        Raises ``BatchMismatch`` for what does not answer to them.
        """
        ids = [self.ids[place] for place in places]
        title = self.argument.title
        if hasattr(result, "keys") and hasattr(result, "__getitem__"):
            known = set(ids)
            strange = sum(each not in known for each in result.keys())
            if strange:
                raise BatchMismatch(
                    f"{title} gave {strange} of {len(result)} values for ids that it was not asked for\n"
                    "hint: use the very ids as keys, of the same type: `3` is not `'3'`"
                )
            return [result[each] if each in result else None for each in ids]
        is_row = hasattr(result, "__len__") and hasattr(result, "__getitem__")
        if isinstance(result, (str, bytes)) or not is_row:
            raise BatchMismatch(
                f"{title} gave {type(result).__name__}\n"
                "hint: give a mapping from ids to values, or a list in the order of the ids"
            )
        if self.kind not in (list, tuple):
            raise BatchMismatch(
                f"{title} gave {type(result).__name__} for a {self.kind.__name__}, whose ids have no order\n"
                "hint: give a mapping from ids to values"
            )
        if len(result) != len(ids):
            raise BatchMismatch(
                f"{title} gave {len(result)} values for {len(ids)} ids\n"
                "hint: give one for each in their order, None for what is not there; or a mapping"
            )
        return list(result)

    def answer(self, values):
        """What the caller gets of the values, one for each id."""
        if self.kind in (list, tuple):
            return values
        return {each: value for each, value in zip(self.ids, values, strict=True) if value is not None}


def _kind_of_given(given, title):
    """Which collection the function is given where its caller has this."""
    if isinstance(given, (str, bytes)) or not hasattr(type(given), "__iter__"):
        raise KeyRefused(
            f"{title} takes a list, tuple, set or mapping of ids, not {type(given).__name__}\n"
            "hint: write `[id]`, or `.load(id)` for a single one"
        )
    if isinstance(given, Mapping):
        return dict
    if isinstance(given, Set):
        return frozenset if isinstance(given, frozenset) else set
    return tuple if isinstance(given, tuple) else list


def mark(each):
    """Something hashable that is ``==`` where ids are; an id that is no key of a mapping is like no other."""
    try:
        hash(each)
    except TypeError:
        return object()
    return each


def content(value):
    """The content of a value, or the value itself where that cannot be had; whoever asks holds it."""
    try:
        return _native.canonical(value)
    except KeyRefused:
        return id(value)


def _kind_of(annotation):
    """Which collection an annotation means: a list, if it says none."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    origin = getattr(annotation, "__origin__", annotation)
    text = origin if isinstance(origin, str) else getattr(origin, "__name__", "")
    text = text.strip()
    outer, _, inner = text.partition("[")
    outer = outer.rpartition(".")[2]
    return _kind_of(inner) if outer == "Annotated" else _KINDS.get(outer.strip(), list)


def value_of(annotation):
    """What a batch's return annotation says of each value: ``V`` of ``dict[K, V]`` and of ``list[V]``."""
    said = getattr(annotation, "__args__", ())
    origin = getattr(annotation, "__origin__", None)
    if not isinstance(origin, type) or not said:
        return None
    if issubclass(origin, Mapping):
        return said[-1] if len(said) == 2 else None
    return said[0]

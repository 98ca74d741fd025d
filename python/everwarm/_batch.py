"""Batches: functions over many ids at once, of which each is an entry of its own."""

from __future__ import annotations

from functools import wraps

from everwarm import _native
from everwarm._batch_steps import adrive, alone, answer, drive, results
from everwarm._drive import ORDINARY
from everwarm._errors import ConfigError, KeyRefused
from everwarm._function import Bound, decorate
from everwarm._ids import Argument, Call, value_of
from everwarm._policy import refuse_limits
from everwarm._signature import is_coroutine_function, is_generator_function, parameters
from everwarm._using import REFRESH, Using


class Batch:
    """A decorated function over a collection of ids: it is called with those that are missing only.

    A call takes the function's own arguments. For a list or tuple of ids it gives a list in their order,
    None for what is not there; for a set, and for a mapping, a dict of what is there. ``refresh``, ``call``,
    ``using``, ``invalidate_many`` and ``prime`` take a collection as a call does; ``load``, ``peek``,
    ``key``, ``explain``, ``invalidate`` and ``mark_stale`` a single id in its place. The counters count ids.

    >>> from everwarm import Cache
    >>> @Cache().batch
    ... def lengths(words: list[str]) -> dict[str, int]:
    ...     return {word: len(word) for word in words}
    >>> lengths(["a", "bb", "a"]), lengths(["bb", "ccc"]), lengths.stats().computations
    ([1, 2, 1], [2, 3], 3)
    """

    def __init__(self, one, function, argument, chunk):
        self._one = one
        self._argument = argument
        self._chunk = chunk
        self._is_async = one._is_async
        self.policy = one.policy
        for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        self.__wrapped__ = function

    __class_getitem__ = classmethod(type(list[int]))

    def __call__(self, /, *args, **kwargs):
        return self._driven(answer, ORDINARY, args, kwargs)

    def _value(self, plan, args, kwargs):
        return self._driven(answer, plan, args, kwargs)

    def _result(self, plan, args, kwargs):
        return self._driven(results, plan, args, kwargs)

    def _driven(self, steps, plan, args, kwargs):
        found = self._argument.find(args, kwargs)
        if found is None:
            # The function itself says best what is missing.
            return self.__wrapped__(*args, **kwargs)
        going = steps(self, Call(self._argument, *found), plan)
        return adrive(going) if self._is_async else drive(going)

    @property
    def uncached(self):
        """The function itself."""
        return self.__wrapped__

    def load(self, /, *args, **kwargs):
        """The value of one id, None if it is not there. For coroutine functions, awaitable.

        With ``collect=`` single ids that are missing at about the same time become one call of the function.

        >>> from everwarm import Cache
        >>> @Cache().batch
        ... def lengths(words: list[str]) -> dict[str, int]:
        ...     return {word: len(word) for word in words if word}
        >>> lengths.load("abc"), lengths.load("")
        (3, None)
        """
        return self._one(*args, **kwargs)

    def call(self, /, *args, **kwargs):
        """What a call gives, each value as a ``Result``. For coroutine functions, awaitable."""
        return self._result(ORDINARY, args, kwargs)

    def refresh(self, /, *args, **kwargs):
        """Computes all ids of a call anew, stores and gives them. For coroutine functions, awaitable."""
        return self._value(REFRESH, args, kwargs)

    def using(self, /, **options):
        """This batch for calls that are told to do differently, as of any decorated function."""
        return Using(self, (), options)

    def key(self, /, *args, **kwargs):
        """The stored name of an id's entry."""
        return self._one.key(*args, **kwargs)

    def peek(self, /, *args, **kwargs):
        """The entry of an id as a ``Result``, or None. It counts nothing, and computes nothing.

        The value is None where it is remembered that there is nothing.
        """
        return self._one.peek(*args, **kwargs)

    def explain(self, /, *args, **kwargs):
        """Why an id would be a hit or a miss, as an ``Explanation``."""
        return self._one.explain(*args, **kwargs)

    def invalidate(self, /, *args, **kwargs):
        """Lets the entry of an id go. What is being computed for it is not stored."""
        self._one.invalidate(*args, **kwargs)

    def mark_stale(self, /, *args, **kwargs):
        """Demotes the entry of an id, so that the next call computes it anew."""
        self._one.mark_stale(*args, **kwargs)

    def invalidate_many(self, /, *args, **kwargs):
        """Lets the entries of all ids of a call go.

        >>> from everwarm import Cache
        >>> @Cache().batch
        ... def lengths(words: list[str]) -> dict[str, int]:
        ...     return {word: len(word) for word in words}
        >>> lengths(["a", "bb"]), lengths.invalidate_many(["a", "bb"]), lengths.stats().entries
        ([1, 2], None, 0)
        """
        call = self._call(args, kwargs)
        for place in range(len(call.ids)):
            given, named = call.of_each(place)
            self._one.invalidate(*given, **named)

    def prime(self, /, *args, **kwargs):
        """Stores values as what the function gives: the call has a mapping from ids to values for the ids.

        >>> from everwarm import Cache
        >>> @Cache().batch
        ... def lengths(words: list[str]) -> dict[str, int]:
        ...     return {word: len(word) for word in words}
        >>> lengths.prime({"a": 7}), lengths(["a", "b"])
        (None, [7, 1])
        """
        call = self._call(args, kwargs)
        if call.details is None or self._argument.kind is dict:
            raise KeyRefused(
                f"{self._argument.title} is primed by a mapping from ids to values\n"
                "hint: write `prime({id: value})`; where the ids come as a mapping, compute them"
            )
        for each, value in call.details.items():
            given, named = call.with_ids(each)
            _native.prime(self._one, value, given, named)

    def _call(self, args, kwargs):
        found = self._argument.find(args, kwargs)
        if found is None:
            raise TypeError(
                f"{self._argument.title} is told no ids\nhint: pass what the function itself takes"
            )
        return Call(self._argument, *found)

    def clear(self):
        """Lets the entries of all ids go."""
        self._one.clear()

    def stats(self):
        """The counters, as ``Stats``; they count ids."""
        return self._one.stats()

    def __get__(self, instance, owner=None):
        return self if instance is None else BoundBatch(self, instance)

    def __set_name__(self, owner, name):
        _native.mark_method(self._one)

    def __reduce__(self):
        return self.__qualname__

    def __repr__(self):
        return f"<batch {self.__wrapped__!r}>"


class BoundBatch(Bound):
    """A batch that is a method, with its instance: called and asked without it."""

    __slots__ = ()

    _VERBS = Bound._VERBS | {"load", "invalidate_many"}

    def prime(self, /, *args, **kwargs):
        """Stores values as what the method gives."""
        self.__func__.prime(self.__self__, *args, **kwargs)


class ClassBatch(classmethod):
    """A batch that is a class method."""

    def __get__(self, instance, owner=None):
        return BoundBatch(self.__func__, type(instance) if owner is None else owner)


def batch(cache, wrapped, policy, argument=None, chunk=None, collect=None):
    """The form of ``wrapped`` that keeps each of its ids as an entry of its own."""
    if isinstance(wrapped, classmethod):
        made = batch(cache, wrapped.__func__, policy, argument, chunk, collect)
        made.__set_name__(None, None)
        return ClassBatch(made)
    if isinstance(wrapped, staticmethod):
        return staticmethod(batch(cache, wrapped.__func__, policy, argument, chunk, collect))
    if is_generator_function(wrapped):
        raise ConfigError(
            f"{wrapped.__qualname__} is to be a batch and yields\n"
            "hint: give a mapping from ids to values, or a list in the order of the ids"
        )
    refuse_limits(policy, wrapped, "batches", "compute many entries in one call")
    where, chunk = Argument(wrapped, argument), _whole(chunk)
    window = None
    if collect is not None:
        window = _window(wrapped, _native.seconds(collect), chunk, _tenant(cache, policy))
    one = decorate(cache, _each(wrapped, where, window), policy, takes=parameters(wrapped))
    made = Batch(one, wrapped, where, chunk)
    if policy.refresh_every is not None:
        from everwarm._together import Together

        one.__dict__["_together"] = Together(made, _tenant(cache, policy))
    return made


def _tenant(cache, policy):
    return cache._tenant if policy.tenant is None else policy.tenant


def _window(wrapped, seconds, chunk, tenant):
    from everwarm._collect import Window

    return Window(wrapped, is_coroutine_function(wrapped), seconds, chunk, tenant)


def _each(wrapped, argument, window):
    """The function of a single id."""

    def steps(args, kwargs):
        call = argument.single(args, kwargs)
        return alone(wrapped, call) if window is None else window.steps(call)

    if is_coroutine_function(wrapped):

        @wraps(wrapped)
        async def each(*args, **kwargs):
            return await adrive(steps(args, kwargs))
    else:

        @wraps(wrapped)
        def each(*args, **kwargs):
            return drive(steps(args, kwargs))

    each._value_of = value_of
    return each


def _whole(chunk):
    if chunk is None or (type(chunk) is int and chunk >= 1):
        return chunk
    raise ConfigError(
        f"chunk is how many ids one call of the function takes, not {chunk!r}\nhint: write `chunk=500`"
    )

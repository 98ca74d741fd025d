"""The decorated function: callable as the function it wraps, with verbs over the same arguments."""

from __future__ import annotations

from types import MethodType

from everwarm import _native
from everwarm._callables import check_calls
from everwarm._drive import drive
from everwarm._explain import explain
from everwarm._load import ready
from everwarm._policy import refuse_items, refuse_limits
from everwarm._result import result, stats
from everwarm._signature import is_coroutine_function, is_generator_function, parameters
from everwarm._twin import twin
from everwarm._using import ORDINARY, REFRESH, Using, result_of, value_of


def _forwarded(name):
    """A property that the wrapped function answers: what ``inspect`` and frameworks look at."""
    return property(lambda self: getattr(self.__wrapped__, name))


class Function(_native.Call):
    """A decorated function.

    Calling it gives what the function gives. The verbs take the same arguments as a call. For coroutine
    functions a call, ``refresh`` and ``call`` give awaitables; the other verbs act at once, and those that
    may have to ask stores have a-twins: ``await area.ainvalidate(2.0)``.

    >>> from everwarm import Cache
    >>> @Cache()
    ... def area(radius: float) -> float:
    ...     return 3 * radius * radius
    >>> area(2.0), area(2.0), area.stats().hits
    (12.0, 12.0, 1)
    """

    __slots__ = ()

    __class_getitem__ = classmethod(type(list[int]))

    __code__ = _forwarded("__code__")
    __defaults__ = _forwarded("__defaults__")
    __kwdefaults__ = _forwarded("__kwdefaults__")
    __globals__ = _forwarded("__globals__")
    __closure__ = _forwarded("__closure__")

    @property
    def uncached(self):
        """The function itself."""
        return self.__wrapped__

    @property
    def _namespace(self):
        return self._cache.namespace

    def key(self, /, *args, **kwargs):
        """The stored name of a call's entry.

        Raises ``KeyRefused`` for arguments that cannot be part of a key.
        """
        return _native.key(self, self._namespace, args, kwargs)

    def peek(self, /, *args, **kwargs):
        """The entry of a call as a ``Result``, or None.

        Counts nothing, computes nothing, and is no use of the entry.

        >>> from everwarm import Cache
        >>> @Cache()
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double.peek(3) is None
        True
        >>> double(3), double.peek(3).value
        (6, 6)
        """
        found = _native.peek(self, self._namespace, args, kwargs)
        return None if found is None else result(*found)

    def call(self, /, *args, **kwargs):
        """The call's value as a ``Result``: was it a hit, how old is it, and so on.

        For coroutine functions, awaitable.
        """
        return self._result(ORDINARY, args, kwargs)

    def refresh(self, /, *args, **kwargs):
        """Computes the call anew, stores its value and gives it. For coroutine functions, awaitable."""
        return self._value(REFRESH, args, kwargs)

    def _value(self, plan, args, kwargs):
        return value_of(self, plan, args, kwargs)

    def _result(self, plan, args, kwargs):
        return result_of(self, plan, args, kwargs)

    def using(self, /, **options):
        """This function for calls that are told to do differently; to be called, or asked by ``call``.

        * ``skip``: neither read nor write.
        * ``refresh``: compute anew, and store.
        * ``only_if_cached``: be served from the cache, or raise ``NotCached``.
        * ``max_age``: take no entry older than this; compute anew, and store.
        * ``max_stale``: take, without computing, an entry whose ttl ended no longer ago than this, if a
          window of its policy keeps it (the request directive of RFC 9111, 5.2.1.2).
        * ``read_only``: store nothing.
        * ``write_only``: take no entry; compute, and store.
        * ``soft_timeout``, ``hard_timeout``, ``wait_timeout``: as in the policy, for this call.

        Raises ``ConfigError`` for options that contradict each other, ``UnknownOption`` for others.

        >>> from everwarm import Cache
        >>> @Cache()
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double.using(skip=True)(3), double.peek(3)
        (6, None)
        >>> double.using(max_age="5m").call(3).status
        'miss'
        """
        return Using(self, (), options)

    def explain(self, /, *args, **kwargs):
        """Why the call would be a hit or a miss, as an ``Explanation``; its ``str`` is a sentence.

        Counts, touches and computes nothing. It looks at up to 10,000 entries for the nearest one.

        >>> from everwarm import Cache
        >>> @Cache()
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double(3), double.explain(3).reason, double.explain("3").argument
        (6, 'fresh', 'x')
        """
        return explain(self, args, kwargs)

    def prime(self, value, /, *args, **kwargs):
        """Stores ``value`` as what the call gives.

        >>> from everwarm import Cache
        >>> @Cache()
        ... def double(x: int) -> int:
        ...     return 2 * x
        >>> double.prime(7, 3)
        >>> double(3)
        7
        """
        _native.prime(self, value, args, kwargs)

    def invalidate(self, /, *args, **kwargs):
        """Lets the call's entry go.

        No later call sees a value whose computation began before, also if one is running now.
        """
        _native.invalidate(self, args, kwargs)

    def invalidate_where(self, /, **values):
        """Lets the entries of all calls go that had these values, of some of the parameters in ``index=``.

        It costs the same however many entries there are, and holds as ``invalidate`` does. Raises
        ``UnknownOption`` for a parameter that is not indexed, ``ConfigError`` if none is given.

        >>> from everwarm import Cache
        >>> @Cache()(index=("user_id",))
        ... def page(user_id: int, number: int) -> str:
        ...     return f"{user_id}/{number}"
        >>> page(3, 1), page(3, 2), page(4, 1)
        ('3/1', '3/2', '4/1')
        >>> page.invalidate_where(user_id=3)
        >>> page.peek(3, 2) is None, page.peek(4, 1) is None
        (True, False)
        """
        _native.invalidate_where(self, values)

    def mark_stale(self, /, *args, **kwargs):
        """Demotes the call's entry, so that the next call computes anew.

        Unlike ``invalidate`` it leaves a computation alone that is running: its value is stored.
        """
        _native.mark_stale(self, args, kwargs)

    def clear(self):
        """Lets all entries of this function go, as ``invalidate`` does for one."""
        _native.clear(self)

    apeek = twin(peek)
    aprime = twin(prime)
    ainvalidate = twin(invalidate)
    ainvalidate_where = twin(invalidate_where)
    amark_stale = twin(mark_stale)
    aclear = twin(clear)

    def stats(self):
        """This function's counters as ``Stats``."""
        return stats(_native.stats(self))

    def cache_info(self):
        """As ``functools.lru_cache`` has it: ``(hits, misses, maxsize, currsize)``."""
        from everwarm._cache_info import CacheInfo

        counters = self.stats()
        return CacheInfo(counters.hits, counters.misses, self._cache.max_entries, counters.entries)

    def cache_clear(self):
        """As ``functools.lru_cache`` has it: ``clear``."""
        self.clear()

    def cache_parameters(self):
        """As ``functools.lru_cache`` has it: ``{"maxsize": ..., "typed": True}``."""
        return {"maxsize": self._cache.max_entries, "typed": True}

    def __set_name__(self, owner, name):
        _native.mark_method(self)

    def __reduce__(self):
        return self.__qualname__

    def __repr__(self):
        return f"<cached {self.__wrapped__!r}>"


class Bound:
    """A decorated method with its instance: called and asked without it."""

    __slots__ = ("__func__", "__self__", "__weakref__")

    # The verbs whose arguments are those of a call, so that the instance comes first.
    _VERBS = frozenset(
        "key peek apeek call refresh invalidate ainvalidate mark_stale amark_stale explain".split()
    )

    def __init__(self, function, instance):
        self.__func__ = function
        self.__self__ = instance

    def __call__(self, /, *args, **kwargs):
        return self.__func__(self.__self__, *args, **kwargs)

    def __get__(self, instance, owner=None):
        # Bound already; that it is a descriptor tells `help` and `inspect` that it is a routine.
        return self

    def prime(self, value, /, *args, **kwargs):
        """Stores ``value`` as what the call gives."""
        self.__func__.prime(value, self.__self__, *args, **kwargs)

    aprime = twin(prime)

    def invalidate_where(self, /, **values):
        """Lets the entries of all calls go that had these values; of this instance alone if it is indexed."""
        _native.invalidate_where(self.__func__, values, self.__self__)

    ainvalidate_where = twin(invalidate_where)

    def using(self, /, **options):
        """This method for calls that are told to do differently."""
        return Using(self.__func__, (self.__self__,), options)

    @property
    def uncached(self):
        """The method itself."""
        return MethodType(self.__func__.__wrapped__, self.__self__)

    __wrapped__ = uncached

    def __getattr__(self, name):
        found = getattr(self.__func__, name)
        return MethodType(found, self.__self__) if name in self._VERBS else found

    @property
    def __doc__(self):
        return self.__func__.__doc__

    def __eq__(self, other):
        if type(other) is not type(self):
            return NotImplemented
        return self.__func__ is other.__func__ and self.__self__ is other.__self__

    def __hash__(self):
        return hash((id(self.__func__), id(self.__self__)))

    def __reduce__(self):
        return getattr, (self.__self__, self.__func__.__name__)

    def __repr__(self):
        return f"<bound {self.__func__!r} of {object.__repr__(self.__self__)}>"


class ClassFunction(classmethod):
    """A decorated class method; ``classmethod`` alone loses the class for the verbs from CPython 3.13 on."""

    def __get__(self, instance, owner=None):
        return Bound(self.__func__, type(instance) if owner is None else owner)


Function._bound_class = Bound
_native.seal(Function)


def decorate(cache, wrapped, policy, kind=None, takes=None):
    """The decorated form of ``wrapped``, a function, a class method or a static method.

    ``kind`` is the class of what is made, ``takes`` the parameters, if not those that can be seen.
    """
    if isinstance(wrapped, classmethod):
        function = decorate(cache, wrapped.__func__, policy, kind, takes)
        _native.mark_method(function)
        return ClassFunction(function)
    if isinstance(wrapped, staticmethod):
        return staticmethod(decorate(cache, wrapped.__func__, policy, kind, takes))
    cache._check(policy, policy.name or getattr(wrapped, "__qualname__", type(wrapped).__name__))
    kind = kind or _kind_of(cache, wrapped, policy)
    ready("stores" in cache._own)
    is_async = is_coroutine_function(wrapped)
    driver = drive if is_async else None
    taken = takes or parameters(wrapped)
    check_calls(policy, wrapped, taken)
    function = kind(wrapped, cache, driver, taken, policy._terms)
    attributes = function.__dict__
    attributes.update(getattr(wrapped, "__dict__", {}))
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__", "__type_params__"):
        if hasattr(wrapped, name):
            attributes[name] = getattr(wrapped, name)
    attributes.setdefault("__name__", type(wrapped).__name__)
    attributes.setdefault("__qualname__", attributes["__name__"])
    attributes.update(__wrapped__=wrapped, _cache=cache, _is_async=is_async, policy=policy)
    return function


def _kind_of(cache, wrapped, policy):
    if not is_generator_function(wrapped):
        refuse_items(cache, wrapped, policy)
        return Function
    from everwarm._replay import Replayed

    refuse_limits(policy, wrapped, "generators", "run as far as they are consumed", "refresh_every")
    return Replayed

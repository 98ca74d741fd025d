"""Writers that invalidate: once such a function has returned, what it changed is no longer served."""

from __future__ import annotations

from functools import wraps

from everwarm import _native
from everwarm._errors import ConfigError
from everwarm._function import Bound, Function
from everwarm._signature import is_coroutine_function, parameters


def writer(cache, wrapped, tags, keys):
    """The form of ``wrapped`` that invalidates ``tags`` and ``keys`` of ``cache`` when it has returned."""
    if isinstance(wrapped, (classmethod, staticmethod)):
        return type(wrapped)(writer(cache, wrapped.__func__, tags, keys))
    if isinstance(wrapped, type) or not callable(wrapped):
        raise ConfigError(
            f"a writer is a function, not {type(wrapped).__name__}\n"
            "hint: write `@cache.invalidates(tags=[...])` above `def`"
        )
    aims = _Aims(cache, wrapped, tags, keys)
    if is_coroutine_function(wrapped):

        @wraps(wrapped)
        async def write(*args, **kwargs):
            aimed = aims.of(args, kwargs)
            value = await wrapped(*args, **kwargs)
            aims.hit(aimed)
            return value
    else:

        @wraps(wrapped)
        def write(*args, **kwargs):
            aimed = aims.of(args, kwargs)
            value = wrapped(*args, **kwargs)
            aims.hit(aimed)
            return value

    return write


class _Aims:
    """What the calls of a writer invalidate. It is known, and checked, before the writer runs."""

    __slots__ = ("cache", "keys", "tags")

    def __init__(self, cache, wrapped, tags, keys):
        taken = parameters(wrapped)
        tags, keys = _listed(tags), _listed(keys)
        if not callable(keys) and not isinstance(keys, str):
            for key in keys:
                if not isinstance(key, str):
                    raise ConfigError(
                        f"each of keys= is a text or a template, not {type(key).__name__}\n"
                        "hint: for other keys write `keys=lambda user: [(profile, user.id), (1, 2)]`"
                    )
        if not (tags or keys):
            raise ConfigError(
                "this writer invalidates nothing\n"
                'hint: write `tags=["user:{user_id}"]` or `keys=lambda user_id: [(profile, user_id)]`'
            )
        self.cache = cache
        self.tags = _native.Texts(tags, taken)
        self.keys = keys if callable(keys) else _native.Texts(keys, taken)

    def of(self, args, kwargs):
        """The tags and keys of one call. What cannot be made raises here, when nothing is written yet."""
        tags = self.tags.of(args, kwargs)
        if callable(self.keys):
            keys = list(self.keys(*args, **kwargs))
        else:
            keys = self.keys.of(args, kwargs)
        for key in keys:
            if _is_call(key):
                key[0].key(*key[1:])
            else:
                _native.canonical(key)
        return tags, keys

    def hit(self, aimed):
        tags, keys = aimed
        self.cache.invalidate_tags(tags)
        for key in keys:
            if _is_call(key):
                key[0].invalidate(*key[1:])
            else:
                self.cache.delete(key)


def _is_call(key):
    """Whether a key is ``(function, *args)``, a call of a decorated function."""
    return isinstance(key, tuple) and bool(key) and isinstance(key[0], (Function, Bound))


def _listed(texts):
    """Several texts; a callable and what is refused later stay as they are."""
    if callable(texts) or isinstance(texts, str):
        return texts
    try:
        return tuple(texts)
    except TypeError:
        raise ConfigError(
            f"tags= and keys= take a list of texts or a callable, not {type(texts).__name__}\n"
            'hint: write `tags=["user:{user_id}"]`'
        ) from None

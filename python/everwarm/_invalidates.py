"""Writers that invalidate: once such a function has returned, what it changed is no longer served."""

from __future__ import annotations

from functools import wraps

from everwarm import _native
from everwarm._batch import Batch
from everwarm._callables import check_arguments, check_kind
from everwarm._errors import ConfigError
from everwarm._function import Bound, Function
from everwarm._signature import (
    is_async_generator_function,
    is_coroutine_function,
    is_generator_function,
    parameters,
)


def writer(cache, wrapped, aimed_at, delay=None):
    """The form of ``wrapped`` that invalidates tags and keys of ``cache`` when it has returned."""
    if isinstance(wrapped, (classmethod, staticmethod)):
        return type(wrapped)(writer(cache, wrapped.__func__, aimed_at, delay))
    if isinstance(wrapped, type) or not callable(wrapped):
        raise ConfigError(
            f"a writer is a function, not {type(wrapped).__name__}\n"
            "hint: write `@cache.invalidates(tags=[...])` above `def`"
        )
    aims = _Aims(cache, wrapped, aimed_at, delay)
    if is_generator_function(wrapped):
        write = _steps_later(wrapped, aims) if is_async_generator_function(wrapped) else _steps(wrapped, aims)
    elif is_coroutine_function(wrapped):

        async def write(*args, **kwargs):
            aimed = aims.of(args, kwargs)
            value = await wrapped(*args, **kwargs)
            aims.hit(aimed)
            return value
    else:

        def write(*args, **kwargs):
            aimed = aims.of(args, kwargs)
            value = wrapped(*args, **kwargs)
            aims.hit(aimed)
            return value

    return wraps(wrapped)(write)


def _steps(wrapped, aims):
    def write(*args, **kwargs):
        aimed = aims.of(args, kwargs)
        value = yield from wrapped(*args, **kwargs)
        aims.hit(aimed)
        return value

    return write


def _steps_later(wrapped, aims):
    async def write(*args, **kwargs):
        aimed = aims.of(args, kwargs)
        steps = wrapped(*args, **kwargs)
        step = steps.__anext__()
        while True:
            try:
                item = await step
            except StopAsyncIteration:
                break
            try:
                sent = yield item
            except GeneratorExit:
                await steps.aclose()
                raise
            except BaseException as error:
                step = steps.athrow(error)
            else:
                step = steps.asend(sent)
        aims.hit(aimed)

    return write


class _Aims:
    """What the calls of a writer invalidate. It is known, and checked, before the writer runs."""

    __slots__ = ("cache", "delay", "keys", "tags")

    def __init__(self, cache, wrapped, aimed_at, delay):
        taken = parameters(wrapped)
        tags, keys = map(_listed, aimed_at)
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
        for name, given in ("tags", tags), ("keys", keys):
            if callable(given):
                form = 'lambda user_id: [f"user:{user_id}"]'
                check_kind(name, given, form)
                check_arguments(name, given, form, wrapped, taken)
        self.cache = cache
        self.delay = None if delay is None else _native.span("delay", delay)
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
        if self.delay is None:
            self._hit(aimed)
            return
        with self.cache.unit_of_work(delay=self.delay):
            self._hit(aimed)

    def _hit(self, aimed):
        tags, keys = aimed
        self.cache.invalidate_tags(tags)
        for key in keys:
            if _is_call(key):
                key[0].invalidate(*key[1:])
            else:
                self.cache.delete(key)


def _is_call(key):
    """Whether a key is ``(function, *args)``, a call of a decorated function or an id of a batch."""
    return isinstance(key, tuple) and bool(key) and isinstance(key[0], (Function, Bound, Batch))


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

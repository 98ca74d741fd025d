"""``copy_to``: what one cache has in its stores, in those of another."""

from __future__ import annotations

from everwarm import _native
from everwarm._drive import _running_loop, awaitable
from everwarm._errors import ConfigError
from everwarm._result import _Frozen


class Copied(_Frozen):
    """How far a copy is.

    * ``seen``: how many names the source has listed.
    * ``copied``: entries that the target has now, and had not.
    * ``there``: entries that the target has already, or a younger value of; or it computes them just now.
    * ``gone``: names whose entries have expired or were invalidated, or were changed while they were copied.
    * ``refused``: entries that cannot be taken elsewhere: damaged, too large, of a later version, or of a
      function whose name is longer than stored names have room for and that this process does not know.
    * ``checked``: entries of the target that were held against the source.
    * ``dropped``: those of them that the source has not, or no longer, which were deleted.
    * ``place``: where to go on, a text; None once all is done.
    """

    __slots__ = ("seen", "copied", "there", "gone", "refused", "checked", "dropped", "place")


def copy(cache, other, after, progress, rate):
    """Copies, and gives what came of it."""
    going = _begun(cache, other, (after, progress, rate))
    while True:
        copied = _told(going.step(), progress)
        if copied.place is None:
            return copied


async def acopy(cache, other, after, progress, rate):
    """As ``copy``, awaited."""
    going = _begun(cache, other, (after, progress, rate))
    while True:
        copied = _told(await _stepped(going), progress)
        if copied.place is None:
            return copied


async def _stepped(going):
    loop = _running_loop()
    if loop is None:
        return going.step()
    step = going.astep()
    await awaitable(step, loop)
    return step.value()


def _begun(cache, other, said):
    after, progress, rate = said
    if not isinstance(other, _native.Objects):
        raise ConfigError(
            f"a cache is copied to another one, not to {type(other).__name__}\n"
            'hint: write `copy_to(Cache("postgresql://...", namespace=...))`'
        )
    if after is not None and not isinstance(after, str):
        raise ConfigError("after= is the place of an earlier copy, a text\nhint: write `after=copied.place`")
    if progress is not None and not callable(progress):
        raise ConfigError("progress= takes a callable\nhint: write `progress=print`")
    if rate is not None and (type(rate) is not int or not 1 <= rate < 1 << 32):
        raise ConfigError("rate= is how many entries a second, at least 1\nhint: write `rate=1_000`")
    cache._resolve()
    other._resolve()
    return _native.copying((cache, other), after, rate)


def _told(fields, progress):
    copied = Copied(**fields)
    if progress is not None:
        progress(copied)
    return copied

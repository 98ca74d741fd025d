"""A cache on its way from one store to another."""

from __future__ import annotations

from everwarm import _options
from everwarm._errors import ConfigError
from everwarm._result import _Frozen
from everwarm._tier import Tier

_STEPS = ("prepare", "move", "finish")


class Moving(_Frozen):
    """An old store and a new one as the last tier of a cache that moves, step by step, and is never cold.

    * ``old``, ``new``: each a URL, a store object or a ``Tier``.
    * ``step``: where it is. Processes are started anew with the next one, one by one.

      - ``"prepare"``: the old store is used, and the new one hears of all changes.
      - ``"move"``: the new store is used. What it does not have and the old one has is brought over when it
        is read, with its age and its tags. Both hear of changes, the old one first; what is set by hand is
        set in both.
      - ``"finish"``: the new store is used, and the old one hears of changes.

    Before the first step the cache has the old store alone, and after the last one the new store. Processes
    of two neighbouring steps may run side by side: none of them is given what another one has deleted, set
    or invalidated. How much still comes from the old store is told by ``Cache.tiers()``: its hits.

    Raises ``ConfigError`` for a step that does not exist.

    >>> from everwarm import Cache, Moving
    >>> from everwarm.testing import open_store
    >>> old, new = open_store("memory://"), open_store("memory://")
    >>> before, after = Cache([old], namespace="shop"), Cache([Moving(old, new, "move")], namespace="shop")
    >>> before.set("lamp", 7)
    >>> after.get("lamp"), Cache([new], namespace="shop").get("lamp")
    (7, 7)
    """

    __slots__ = ("old", "new", "step")

    def __init__(self, old, new, step):
        if step not in _STEPS:
            hint = _options.nearest(str(step)[:40], _STEPS)
            raise ConfigError(f"there is no step {str(step)[:40]!r} of a move\nhint: {hint}")
        if any(isinstance(store, Moving) for store in (old, new)):
            raise ConfigError("what moves is no store\nhint: give the stores themselves, as URLs or objects")
        super().__init__(old=old, new=new, step=step)

    def __repr__(self):
        # A URL may have a password in it, and a tier shows none.
        old, new = (store if isinstance(store, Tier) else Tier(store) for store in (self.old, self.new))
        return f"Moving({old!r}, {new!r}, {self.step!r})"

    def _used(self):
        return self.old if self.step == "prepare" else self.new

    def _beside(self):
        return self.new if self.step == "prepare" else self.old

    def _role(self):
        return {"prepare": "new", "move": "old", "finish": "left"}[self.step]

"""Ids of a batch that are due at the same time: they are computed anew by one call of the function or few."""

from __future__ import annotations

from _contextvars import ContextVar

from everwarm import _background
from everwarm._batch_steps import _Part, _refreshed, adrive, drive
from everwarm._behind import context_of
from everwarm._ids import content, mark


class Together:
    """Begins what is due of a batch, in the background; each id as if it were alone, but for the call."""

    __slots__ = ("_batch", "_tenant")

    def __init__(self, batch, tenant):
        self._batch = batch
        # A context variable tells ids apart that are alike in all else.
        self._tenant = tenant if isinstance(tenant, ContextVar) else None

    def begin(self, calls):
        """Of the calls for single ids that are due, those that nobody else computes, or has by now."""
        groups, counts = {}, {}
        for call in calls:
            if not call.is_possible():
                continue
            turn = call.lead()
            if turn is None:
                continue
            single = self._batch._argument.single(call.args, call.kwargs)
            common = self._common(call, single)
            # Two ids that are `==` cannot be answered by one mapping.
            same = common, mark(single.ids[0])
            counts[same] = number = counts.get(same, -1) + 1
            groups.setdefault((common, number), []).append((call, single, turn))
        for group in groups.values():
            self._begin(group)

    def _common(self, call, single):
        others, names = single.others()
        tenant = None if self._tenant is None else content(call.context.get(self._tenant))
        return id(call.loop), tenant, single.place, names, tuple(map(content, others))

    def _begin(self, group):
        first = group[0][0]
        if first.loop is None:
            first.context.run(self._submit, group)
            return
        try:
            first.loop.call_soon_threadsafe(self._spawn, group, context=first.context)
        except RuntimeError:  # the loop is closed, and the leads come back with the turns
            pass

    def _submit(self, group):
        steps = self._steps(group)
        one = self._batch._one
        _background.submit(lambda: drive(steps), context=context_of(one), owner=one._cache)

    def _spawn(self, group):
        one = self._batch._one
        _background.spawn(adrive(self._steps(group)), context=context_of(one), owner=one._cache)

    def _steps(self, group):
        calls = [single for _, single, _ in group]
        whole = calls[0].joined(calls)
        places = whole.places([single.ids[0] for single in calls])
        parts = [
            _Part([place], call.args, call.kwargs, turn)
            for place, (call, _, turn) in zip(places, group, strict=True)
        ]
        yield from _refreshed(self._batch, whole, parts)

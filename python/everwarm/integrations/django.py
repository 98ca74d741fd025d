"""Invalidation by Django's models: when a transaction commits, what its rows are cached under is gone."""

from __future__ import annotations

from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from everwarm.integrations._transaction import Transaction, Watched

# Listeners live as long as the process, since signals hold them weakly.
_listeners = []


def watch(cache, tags, *, delay=None, mark_before=False, timeout="30s"):
    """Has rows that are written invalidate ``cache`` when their transaction is committed.

    * ``tags``: by model, a function of a row that gives its tags.
    * ``delay``, ``mark_before``, ``timeout``: as for ``Cache.unit_of_work``.

    A rollback invalidates nothing, nor does what was rolled back to a savepoint. From the first change of a
    row to the end of the transaction calls go past the cache, in the context that made it. What sends no
    signal (``update``, ``bulk_create``, SQL) is told by ``invalidate_on_commit``.
    """
    listener = _Listener(Watched(cache, tags, delay, mark_before, timeout))
    _listeners.append(listener)
    post_save.connect(listener.changed)
    post_delete.connect(listener.changed)
    m2m_changed.connect(listener.related)


def invalidate_on_commit(cache, *tags, using=None, delay=None, mark_before=False, timeout="30s"):
    """Invalidates tags once the running transaction is committed; at once, if there is none.

    Until then calls go past the cache, as after a change of a watched row.
    """
    _collect(Watched(cache, {}, delay, mark_before, timeout), list(tags), using)


class _Listener:
    def __init__(self, watched):
        self._watched = watched

    def changed(self, sender, instance, using=None, **_):
        if self._watched.model_of(type(instance)) is not None:
            _collect(self._watched, self._watched.tags_of(instance), using)

    def related(self, sender, instance, action, using=None, **_):
        if action.startswith("post_"):
            self.changed(sender, instance, using)


def _collect(watched, tags, using):
    if transaction.get_connection(using).in_atomic_block:
        transaction.on_commit(_Change(watched, tags), using=using)
    else:
        with watched.cache.unit_of_work(delay=watched.delay):
            watched.cache.invalidate_tags(tags)


class _Change:
    """What a transaction calls if it is committed, and lets go of if it is rolled back."""

    def __init__(self, watched, tags):
        self._transaction = Transaction(watched)
        self._transaction.touch(tags)

    def __call__(self):
        change, self._transaction = self._transaction, None
        change.commit()

    def __del__(self):
        if self._transaction is not None:
            self._transaction.roll_back()

"""Invalidation by SQLAlchemy's sessions: when one commits, what its rows are cached under is gone."""

from __future__ import annotations

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from everwarm._errors import ConfigError
from everwarm.integrations._transaction import Transaction, Watched


def watch(sessions, cache, tags, *, bulk=None, delay=None, mark_before=False, timeout="30s"):
    """Has rows that sessions write invalidate ``cache`` when their transaction is committed.

    * ``sessions``: a ``sessionmaker``, ``async_sessionmaker`` or ``scoped_session``, a session or a class.
    * ``tags``: by model, a function of a row that gives its tags. A row that changes is asked for those of
      its state before, too, as far as that is loaded.
    * ``bulk``: a function of a model that gives the tags for an ``update()``, ``delete()`` or ``insert()`` of
      it that is executed without rows; None: it clears the cache.
    * ``delay``, ``mark_before``, ``timeout``: as for ``Cache.unit_of_work``.

    A rollback invalidates nothing, nor does what was rolled back to a savepoint. From the first flush of a
    watched row to the end of the transaction calls go past the cache, in the context that flushed.
    """
    if bulk is not None and not callable(bulk):
        raise ConfigError("bulk= takes a callable\nhint: write `bulk=lambda model: [model.__tablename__]`")
    listener = _Listener(Watched(cache, tags, delay, mark_before, timeout), bulk)
    target = _target(sessions)
    for name in _EVENTS:
        event.listen(target, name, getattr(listener, name))


_EVENTS = ("after_flush", "do_orm_execute", "after_commit", "after_soft_rollback", "after_transaction_end")


def _target(sessions):
    """What events can be listened to of."""
    if isinstance(sessions, (sessionmaker, scoped_session, Session)):
        return sessions
    if isinstance(sessions, type) and issubclass(sessions, Session):
        return sessions
    from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session, async_sessionmaker

    if isinstance(sessions, async_scoped_session):
        sessions = sessions.session_factory
    if isinstance(sessions, async_sessionmaker):
        made = sessions.kw.get("sync_session_class") or sessions.class_.sync_session_class
        # A class of its own, so that other makers' sessions are not listened to.
        own = type(made.__name__, (made,), {}) if isinstance(made, type) else made
        sessions.configure(sync_session_class=own)
        return own
    if isinstance(sessions, AsyncSession):
        return sessions.sync_session
    raise ConfigError(
        f"watch listens to sessions and their makers, not to {type(sessions).__name__}\n"
        "hint: write `watch(sessionmaker(engine), cache, {...})`"
    )


class _Listener:
    """The events of sessions, each of which has a transaction of its own."""

    def __init__(self, watched, bulk):
        self._watched = watched
        self._bulk = bulk

    def _transaction(self, session):
        """That of a session; it begins with the first change."""
        return session.info.get(self) or session.info.setdefault(self, Transaction(self._watched))

    def after_flush(self, session, _):
        for row in (*session.new, *session.dirty, *session.deleted):
            if self._watched.model_of(type(row)) is not None and (
                row not in session.dirty or session.is_modified(row)
            ):
                tags = self._watched.tags_of(row, _AsBefore(row))
                self._transaction(session).touch(tags, session.get_nested_transaction())

    def do_orm_execute(self, state):
        mapper = state.bind_mapper
        if not (state.is_update or state.is_delete or state.is_insert) or mapper is None:
            return
        model = self._watched.model_of(mapper.class_)
        if model is None:
            return
        transaction = self._transaction(state.session)
        if self._bulk is None:
            transaction.touch_all()
        else:
            transaction.touch(list(self._bulk(model)), state.session.get_nested_transaction())

    def after_commit(self, session):
        # The release of a savepoint is told in the same way.
        if not session.in_nested_transaction():
            self._end(session, Transaction.commit)

    def after_soft_rollback(self, session, previous):
        if not previous.nested:
            self._end(session, Transaction.roll_back)
        elif self in session.info:
            session.info[self].roll_back_to(lambda part: _is_within(part, previous))

    def after_transaction_end(self, session, transaction):
        if transaction.parent is None:
            self._end(session, Transaction.roll_back)

    def _end(self, session, way):
        transaction = session.info.pop(self, None)
        if transaction is not None:
            way(transaction)


def _is_within(part, outer):
    while part is not None:
        if part is outer:
            return True
        part = part.parent
    return False


class _AsBefore:
    """A row as it was before its changes, as far as these are known."""

    def __init__(self, row):
        self._row = row

    @property
    def __class__(self):
        return type(self._row)

    def __getattr__(self, name):
        attributes = inspect(self._row).attrs
        if name in attributes and (deleted := attributes[name].history.deleted):
            return deleted[0]
        return getattr(self._row, name)

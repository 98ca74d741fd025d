"""SQLAlchemy's sessions invalidate when their transaction is committed."""

from __future__ import annotations

import asyncio
import contextvars

import pytest
from everwarm import Cache, ConfigError

pytestmark = [pytest.mark.once, pytest.mark.libraries]

try:
    import aiosqlite  # noqa: F401
    from everwarm.integrations.sqlalchemy import watch
    from sqlalchemy import ForeignKey, create_engine, delete, insert, select, update
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker
except ImportError as missing:
    from conftest import loud_skip

    loud_skip(f"{missing}: install tests/requirements.txt")


class Base(DeclarativeBase):
    pass


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(Base):
    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    team: Mapped[int | None] = mapped_column(ForeignKey("team.id"))


class Other(Base):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)


TAGS = {User: lambda user: [f"user:{user.id}", f"team:{user.team}"]}


@pytest.fixture(params=["memory", "disk"])
def cache(request, tmp_path):
    made = Cache(None if request.param == "memory" else f"disk://{tmp_path}/store", namespace="shop")
    yield made
    made.close()


@pytest.fixture
def engine(tmp_path):
    made = create_engine(f"sqlite:///{tmp_path}/rows.db")
    # The driver begins a transaction of its own too late for savepoints.
    from sqlalchemy import event

    @event.listens_for(made, "connect")
    def connect(connection, _):
        connection.isolation_level = None

    @event.listens_for(made, "begin")
    def begin(connection):
        connection.exec_driver_sql("BEGIN")

    Base.metadata.create_all(made)
    with Session(made) as session, session.begin():
        session.add_all([Team(id=1, name="a"), Team(id=2, name="b")])
        session.add_all([User(id=1, name="ann", team=1), User(id=2, name="bob", team=2)])
    yield made
    made.dispose()


@pytest.fixture
def sessions(engine):
    return sessionmaker(engine)


@pytest.fixture
def name_of(cache, engine):
    @cache(name="name_of", tags=["user:{user}"])
    def name_of(user):
        with Session(engine) as session:
            found = session.get(User, user)
            return found and found.name

    return name_of


@pytest.fixture
def members(cache):
    return cache(name="members", tags=["team:{team}"])(lambda team: team)


def gone(function, *args):
    """As others see it."""
    return contextvars.Context().run(function.peek, *args) is None


class Rollback(Exception):
    pass


def test_a_commit_invalidates_what_was_changed(cache, sessions, name_of):
    watch(sessions, cache, TAGS)
    assert (name_of(1), name_of(2), name_of(3)) == ("ann", "bob", None)
    with sessions() as session:
        session.get(User, 1).name = "eve"
        session.flush()
        assert not gone(name_of, 1), "it is not committed"
        assert name_of.call(2).status == "bypass", "calls inside go past the cache"
        session.add(User(id=3, name="cy"))
        session.commit()
    assert gone(name_of, 1) and not gone(name_of, 2) and gone(name_of, 3)
    assert (name_of(1), name_of(3)) == ("eve", "cy")
    assert name_of.call(2).status == "hit"


def test_a_deletion(cache, sessions, name_of):
    watch(sessions, cache, TAGS)
    name_of(1), name_of(2)
    with sessions.begin() as session:
        session.delete(session.get(User, 1))
    assert gone(name_of, 1) and not gone(name_of, 2)


def test_the_state_before_counts(cache, sessions, members):
    watch(sessions, cache, TAGS)
    members(1), members(2), members(3)
    with sessions.begin() as session:
        session.get(User, 1).team = 2
    assert gone(members, 1) and gone(members, 2) and not gone(members, 3)


@pytest.mark.parametrize("way", ["rollback", "close", "raise"])
def test_a_rollback_invalidates_nothing(cache, sessions, name_of, way):
    watch(sessions, cache, TAGS)
    name_of(1)
    try:
        with sessions() as session:
            session.get(User, 1).name = "eve"
            session.flush()
            assert name_of.call(1).status == "bypass"
            if way == "rollback":
                session.rollback()
            if way == "raise":
                raise Rollback
    except Rollback:
        pass
    assert not gone(name_of, 1)
    assert name_of.call(1).status == "hit", "what comes after is not inside"
    with sessions.begin() as session:
        session.get(User, 2).name = "after"
    assert not gone(name_of, 1)


def test_savepoints(cache, sessions, name_of):
    watch(sessions, cache, TAGS)
    for user in (1, 2, 3, 4):
        name_of(user)
    with sessions() as session:
        with session.begin_nested():
            session.get(User, 1).name = "kept"
            session.flush()
        assert not gone(name_of, 1), "a savepoint's release is no commit"
        with pytest.raises(Rollback), session.begin_nested():
            session.get(User, 2).name = "lost"
            session.flush()
            with session.begin_nested():
                session.add(User(id=4, name="lost, too"))
            raise Rollback
        session.add(User(id=3, name="kept"))
        session.commit()
    assert gone(name_of, 1) and gone(name_of, 3)
    assert not gone(name_of, 2) and not gone(name_of, 4), "rolled back to the savepoint"


def test_rows_that_are_not_watched(cache, sessions, name_of):
    watch(sessions, cache, TAGS)
    name_of(1)
    with sessions.begin() as session:
        session.add(Other(id=1))
        session.get(Team, 1).name = "z"
        session.flush()
        assert name_of.call(1).status == "hit", "nothing that is watched has changed"
    assert not gone(name_of, 1)


@pytest.mark.parametrize("statement", ["update", "delete", "insert"])
def test_statements_without_rows(cache, sessions, name_of, statement):
    watch(sessions, cache, TAGS, bulk=lambda model: ["user:1"])
    name_of(1), name_of(2)
    with sessions.begin() as session:
        session.execute(
            {
                "update": update(User).values(name="all").where(User.id == 1),
                "delete": delete(User).where(User.id == 1),
                "insert": insert(User).values(id=9, name="new"),
            }[statement]
        )
        session.execute(select(User))
        assert not gone(name_of, 1)
    assert gone(name_of, 1) and not gone(name_of, 2)


def test_statements_clear_the_cache_where_nothing_is_said(cache, sessions, name_of):
    watch(sessions, cache, TAGS)
    name_of(1), name_of(2)
    with sessions.begin() as session:
        session.execute(update(Team).values(name="x"))
    assert not gone(name_of, 1)
    with sessions.begin() as session:
        session.execute(update(User).values(name="x"))
    assert gone(name_of, 1) and gone(name_of, 2)


def test_scoped_sessions_and_single_ones(cache, engine, name_of):
    scoped = scoped_session(sessionmaker(engine))
    watch(scoped, cache, TAGS)
    name_of(1)
    scoped.get(User, 1).name = "eve"
    scoped.commit()
    scoped.remove()
    assert gone(name_of, 1)
    with Session(engine) as session:
        watch(session, cache, TAGS)
        name_of(2)
        session.get(User, 2).name = "eve"
        session.commit()
    assert gone(name_of, 2)


def test_a_mark_before_the_commit(cache, sessions, name_of):
    watch(sessions, cache, TAGS, mark_before=True)
    name_of(1)
    with sessions() as session:
        session.get(User, 1).name = "eve"
        session.flush()
        assert contextvars.Context().run(name_of, 1) == "ann"
        assert gone(name_of, 1), "what others read meanwhile is not stored"
        session.commit()
    assert name_of(1) == "eve" and not gone(name_of, 1)


def test_asynchronous_sessions(cache, tmp_path, engine, name_of):
    later = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/rows.db")
    makers = [async_sessionmaker(later), async_sessionmaker(later)]
    watch(makers[0], cache, TAGS)

    async def change(maker, user, way):
        async with maker() as session:
            (await session.get(User, user)).name = "eve"
            await session.flush()
            inside = name_of.call(user).status
            await getattr(session, way)()
        return inside

    async def main():
        name_of(1), name_of(2)
        assert await change(makers[0], 1, "rollback") == "bypass"
        assert not gone(name_of, 1)
        assert await change(makers[0], 1, "commit") == "bypass"
        assert gone(name_of, 1)
        assert await change(makers[1], 2, "commit") == "hit", "nobody listens to this maker"
        assert not gone(name_of, 2)
        async with AsyncSession(later) as session:
            watch(session, cache, TAGS)
            (await session.get(User, 2)).name = "fay"
            await session.commit()
        assert gone(name_of, 2)
        await later.dispose()

    asyncio.run(main())


def test_bad_input(cache, sessions):
    for arguments, keywords in (
        ((3, cache, TAGS), {}),
        ((sessions, cache, {"User": TAGS[User]}), {}),
        ((sessions, cache, {User: ["user"]}), {}),
        ((sessions, cache, TAGS), {"delay": 0}),
        ((sessions, cache, TAGS), {"bulk": "user"}),
    ):
        with pytest.raises(ConfigError, match="hint: "):
            watch(*arguments, **keywords)

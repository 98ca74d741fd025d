"""Every keyword in every form it takes."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from everwarm import Keyed, NotKeyed, Policy, cache
from typing_extensions import assert_type


def tags_of(user_id: int) -> Iterable[str]:
    yield f"user:{user_id}"


class User:
    id: int = 1


def key_of(user: User, session: object) -> object:
    return user.id


def team_of(user: User, session: object) -> list[str]:
    return [f"user:{user.id}"]


policy = Policy(
    ttl="1h30m",
    jitter=0.1,
    cache_none=False,
    when=lambda value: value is not None,
    key="user:{user_id}",
    tags=("user", "user:{user_id}"),
    tags_from_result=lambda value: [f"team:{value}"],
    version="2",
    name="users",
)
assert_type(policy.replace(ttl=None, tags=tags_of), Policy)
assert_type(policy.jitter, float)
assert_type(policy == Policy(), bool)

Policy()
Policy(ttl=5)
Policy(ttl=0.25)
Policy(ttl=timedelta(minutes=5))
Policy(tags=["a"])
Policy(tags={"a"})
Policy(tags=frozenset({"a"}))
Policy(tags=tags_of)
Policy(tags=lambda user_id: [f"user:{user_id}"], key=lambda user_id: user_id)
Policy(tags=lambda user, team: {user.id, team.id}, key=lambda user, team: user.id)
Policy(tags=lambda: ("user",), key=lambda a, b, c: (a, b.id, c))
Policy(schema="2", upgrade=["1"])
Policy(schema="2", upgrade={"1": lambda old: [old], "0": None})
assert_type(Policy(upgrade=policy.upgrade), Policy)
Policy(when=None, tags_from_result=None, name=None)


@cache(policy, key=key_of, tags=team_of)
def load(user: Annotated[User, Keyed(by="id")], session: Annotated[object, NotKeyed]) -> str:
    return f"{user.id} {session}"


@cache(when=bool, version="3")
def named(user: Annotated[User, Keyed(by=lambda user: user.id)]) -> str:
    return f"{user.id}"


assert_type(load(User(), object()), str)
assert_type(named(User()), str)

"""Writers: after one has returned, what it changed is not served any more."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from everwarm import ConfigError, KeyRefused


@pytest.fixture
def profile(cache):
    return cache(tags=["user:{user}"])(lambda user, deep=False: [user])


def gone(function, *args):
    return function.peek(*args) is None


@pytest.mark.proves("invalidates.tags")
@pytest.mark.parametrize(
    "tags",
    [["user:{user}"], lambda user, name="": [f"user:{user}"], ("user:1",)],
    ids=["template", "callable", "text"],
)
def test_tags(world, cache, profile, tags):
    @world.cached(cache.invalidates(tags=tags))
    def rename(user, name=""):
        assert not gone(profile, 1)
        return name

    profile(1), profile(2)
    assert world.call(rename, 1, "ann") == "ann"
    assert gone(profile, 1) and not gone(profile, 2)


@pytest.mark.proves("invalidates.keys")
def test_keys_of_objects_and_calls(world, cache, profile):
    @world.cached(
        cache.invalidates(
            keys=lambda user: [(profile, user), (profile, user, True), f"user:{user}", (user, 7)]
        )
    )
    def remove(user):
        return user

    profile(1), profile(1, True), profile(2)
    cache.set("user:1", 1)
    cache.set((1, 7), 1)
    cache.set("user:2", 1)
    world.call(remove, 1)
    assert gone(profile, 1) and gone(profile, 1, True) and not gone(profile, 2)
    assert "user:1" not in cache and (1, 7) not in cache and "user:2" in cache


@pytest.mark.proves("invalidates.keys")
def test_keys_by_template(cache):
    @cache.invalidates(keys=["user:{user}", "users"])
    def remove(user):
        pass

    for key in ("user:1", "users", "user:2"):
        cache.set(key, 1)
    remove(1)
    assert "user:1" not in cache and "users" not in cache and "user:2" in cache


def test_a_writer_that_raises_invalidates_nothing(world, cache, profile):
    @world.cached(cache.invalidates(tags=["user:{user}"], keys=lambda user: [(profile, user)]))
    def rename(user):
        raise LookupError(user)

    profile(1)
    with pytest.raises(LookupError):
        world.call(rename, 1)
    assert not gone(profile, 1)


@pytest.mark.parametrize(
    "aims",
    [
        {"tags": lambda user: 1 / 0},
        {"keys": lambda user: 1 / 0},
        {"tags": ["{user.name}"]},
        {"keys": lambda user: [object()]},
    ],
    ids=["tags", "keys", "template", "refused"],
)
def test_what_cannot_be_made_raises_before_anything_is_written(world, cache, aims):
    written = []

    @world.cached(cache.invalidates(**aims))
    def rename(user):
        written.append(user)

    with pytest.raises((ZeroDivisionError, AttributeError, KeyRefused)):
        world.call(rename, 1)
    assert not written


def test_aims_are_those_before_the_writer_ran(cache, profile):
    class User:
        group = 1

    @cache.invalidates(tags=["user:{user.group}"])
    def move(user):
        user.group = 2

    profile(1)
    move(User())
    assert gone(profile, 1)


def test_arguments_that_do_not_fit_are_for_the_writer_to_refuse(cache):
    @cache.invalidates(tags=["user:{user}"])
    def rename(user):
        pass

    with pytest.raises(TypeError, match=r"rename\(\)"):
        rename()


def test_methods(cache, profile):
    class Users:
        @cache.invalidates(tags=["user:{user}"])
        def rename(self, user):
            return self

        @cache.invalidates(keys=lambda cls, user: [(profile, user)])
        @classmethod
        def remove(cls, user):
            return cls

        @staticmethod
        @cache.invalidates(tags=["user:{user}"])
        def touch(user):
            return user

        @cache
        def find(self, user):
            return [user]

        @cache.invalidates(keys=lambda self, user: [(self.find, user)])
        async def change(self, user):
            return user

    users = Users()
    for write, value in ((users.rename, users), (users.remove, Users), (users.touch, 1)):
        profile(1)
        assert write(1) == value
        assert gone(profile, 1)
    users.find(1)
    assert asyncio.run(users.change(1)) == 1
    assert gone(users.find, 1)


def test_a_writer_stays_what_it_was(cache):
    def rename(user: int, *, name: str = "a") -> str:
        """Renames."""
        return name

    written = cache.invalidates(tags=["t"])(rename)
    assert inspect.signature(written) == inspect.signature(rename)
    assert (written.__name__, written.__doc__, written.__wrapped__) == ("rename", "Renames.", rename)

    async def change(user):
        pass

    assert inspect.iscoroutinefunction(cache.invalidates(tags=["t"])(change))


@pytest.mark.parametrize(
    "aims",
    [
        {},
        {"tags": []},
        {"tags": ["{nobody}"]},
        {"tags": "user"},
        {"tags": 3},
        {"keys": "user"},
        {"keys": [3]},
        {"keys": ["{nobody}"]},
    ],
)
def test_what_cannot_be_meant_is_refused_at_decoration(cache, aims):
    with pytest.raises(ConfigError, match="\nhint: "):
        cache.invalidates(**aims)(lambda user: user)


def test_what_is_no_function_is_refused(cache):
    for thing in (int, 3):
        with pytest.raises(ConfigError, match="\nhint: "):
            cache.invalidates(tags=["t"])(thing)

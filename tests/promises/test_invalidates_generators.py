"""Writers that are generators: they have returned when they are exhausted."""

from __future__ import annotations

import asyncio

import pytest


def gone(function, *args):
    return function.peek(*args) is None


@pytest.fixture
def profile(cache):
    return cache(tags=["user:{user}"])(lambda user: [user])


def test_a_generator_invalidates_once_it_is_exhausted(cache, profile):
    @cache.invalidates(tags=["user:{user}"])
    def rename(user):
        said = yield "first"
        assert said == "go on"
        return "done"

    profile(1)
    steps = rename(1)
    assert next(steps) == "first" and not gone(profile, 1)
    with pytest.raises(StopIteration) as end:
        steps.send("go on")
    assert end.value.value == "done" and gone(profile, 1)


@pytest.mark.parametrize("way", ["close", "throw"])
def test_a_generator_that_is_given_up_invalidates_nothing(cache, profile, way):
    @cache.invalidates(tags=["user:{user}"])
    def rename(user):
        yield user

    profile(1)
    steps = rename(1)
    next(steps)
    if way == "close":
        steps.close()
    else:
        with pytest.raises(LookupError):
            steps.throw(LookupError)
    assert not gone(profile, 1)


def test_an_asynchronous_generator(cache, profile):
    heard = []

    @cache.invalidates(tags=["user:{user}"])
    async def rename(user):
        try:
            heard.append((yield "first"))
        except LookupError:
            heard.append("caught")
            yield "second"

    async def main():
        profile(1)
        steps = rename(1)
        assert await steps.__anext__() == "first"
        assert await steps.athrow(LookupError) == "second" and not gone(profile, 1)
        assert [item async for item in steps] == [] and gone(profile, 1)
        profile(1)
        steps = rename(1)
        await steps.__anext__()
        with pytest.raises(StopAsyncIteration):
            await steps.asend("sent")
        assert gone(profile, 1) and heard == ["caught", "sent"]
        profile(1)
        steps = rename(1)
        await steps.__anext__()
        await steps.aclose()
        assert not gone(profile, 1), "it was given up"

    asyncio.run(main())

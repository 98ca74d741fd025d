"""Where a cache is strict, what it cannot do is raised, by calls and by verbs."""

from __future__ import annotations

import asyncio
import shutil
import threading
from contextvars import ContextVar

import pytest
from everwarm import Cache, ConfigError, StoreError, TenantMissing, ValueRefused

TENANT: ContextVar[str] = ContextVar("tenant")


class Odd:
    """Of a class that cannot be stored."""


@pytest.mark.parametrize(
    ("of_cache", "of_policy"),
    [
        pytest.param({"strict": True}, {}, marks=pytest.mark.proves("Cache.strict"), id="cache"),
        pytest.param({}, {"strict": True}, marks=pytest.mark.proves("Policy.strict"), id="policy"),
    ],
)
def test_a_value_that_stores_cannot_have_is_raised(url, of_cache, of_policy):
    with Cache(url, **of_cache) as cache:

        @cache(name="load", **of_policy)
        def load(x: int) -> object:
            return Odd()

        @cache(name="later", **of_policy)
        async def later(x: int) -> object:
            return Odd()

        for call in (lambda: load(1), lambda: load.refresh(1), lambda: asyncio.run(later(1))):
            with pytest.raises(ValueRefused, match="`result`, of type `.*Odd`, cannot be stored.*\nhint: "):
                call()
        assert load.stats().refused == 2 and load.stats().entries == 0


def test_those_who_wait_get_the_refusal_too(url):
    entered, leave = threading.Event(), threading.Event()
    with Cache(url, strict=True) as cache:

        @cache(name="load")
        def load(x: int) -> object:
            entered.set()
            assert leave.wait(20)
            return Odd()

        raised = []

        def call():
            try:
                load(1)
            except ValueRefused as error:
                raised.append(error)

        threads = [threading.Thread(target=call) for _ in range(4)]
        threads[0].start()
        assert entered.wait(20)
        for thread in threads[1:]:
            thread.start()
        leave.set()
        for thread in threads:
            thread.join()
        assert len(raised) == 4


def test_verbs_raise_what_they_cannot_store(url):
    with Cache(url, strict=True) as cache:
        for verb in (
            lambda: cache.set("k", Odd()),
            lambda: cache.add("k", Odd()),
            lambda: cache.set_many({"k": Odd()}),
            lambda: cache.get_or_compute("k", Odd),
        ):
            with pytest.raises(ValueRefused):
                verb()
        assert cache.get("k") is None


def test_otherwise_the_value_stays_in_memory(url, log):
    with Cache(url) as cache:
        odd = Odd()
        cache.set("k", odd)
        assert cache.get("k") is odd and "stays in this process's memory" in log.text


def test_a_missing_tenant_is_raised():
    with Cache(tenant=TENANT, strict=True) as cache:

        @cache
        def load(x: int) -> int:
            return x

        @cache
        async def later(x: int) -> int:
            return x

        for call in (
            lambda: load(1),
            lambda: asyncio.run(_awaited(later)),
            lambda: cache.get("k"),
            lambda: cache.set("k", 1),
        ):
            with pytest.raises(TenantMissing, match="has no tenant\nhint: "):
                call()
        TENANT.set("acme")
        assert load(1) == 1


async def _awaited(function):
    return await function(1)


def test_a_policy_may_be_lenient_where_its_cache_is_strict(url):
    with Cache(url, strict=True) as cache:

        @cache(name="load", strict=False)
        def load(x: int) -> object:
            return Odd()

        assert isinstance(load(1), Odd)


@pytest.mark.parametrize("strict", [True, False])
def test_an_invalidation_that_a_store_does_not_take_is_raised(place, strict):
    directory = place / "store"
    with Cache(f"file://{directory}", strict=strict) as cache:

        @cache(name="load", tags=["t"])
        def load(x: int) -> int:
            return x

        load(1)
        shutil.rmtree(directory)
        directory.write_text("no directory")
        for verb in (
            lambda: load.invalidate(1),
            load.clear,
            cache.clear,
            lambda: cache.invalidate_tags("t"),
            lambda: cache.delete("k"),
        ):
            if strict:
                with pytest.raises(StoreError, match="has not taken an invalidation.*\nhint: ") as raised:
                    verb()
                assert raised.value.kind == "transient"
            else:
                verb()
            assert load.peek(1) is None, "in this process it is done"
        directory.unlink()


@pytest.mark.parametrize("owner", [Cache, Cache().__call__])
def test_strictness_is_yes_or_no(owner):
    with pytest.raises(ConfigError, match="strict is True or False, not int"):
        owner(strict=3)

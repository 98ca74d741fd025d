"""Waiting for another process that computes: no longer than a call waits for anybody, or may take."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from everwarm import Timeout


@pytest.fixture
def elsewhere(place):
    """Another cache of the same store, where ``price("lamp")`` is being computed until ``go`` is set."""
    begun, go = threading.Event(), threading.Event()

    def price(sku: str) -> str:
        begun.set()
        assert go.wait(20)
        return "there"

    price = place.cache()(name="price", depends_on="nothing")(price)
    thread = threading.Thread(target=price, args=("lamp",))
    thread.start()
    assert begun.wait(20)
    yield go
    go.set()
    thread.join()


def called(here, is_async):
    if not is_async:
        return here("lamp")

    async def call():
        return await here("lamp")

    return asyncio.run(call())


def shaped(is_async):
    if not is_async:

        def price(sku: str) -> str:
            return "here"

    else:

        async def price(sku: str) -> str:
            return "here"

    return price


@pytest.mark.parametrize("is_async", [False, True])
def test_who_has_waited_long_enough_computes_beside_and_stores_nothing(place, elsewhere, is_async):
    here = place.cache()(name="price", depends_on="nothing", wait_timeout=0.1)(shaped(is_async))
    began = time.monotonic()
    assert called(here, is_async) == "here"
    assert time.monotonic() - began < 5
    assert here.stats().takeovers == 1
    elsewhere.set()
    while here.peek("lamp") is None:
        time.sleep(0.005)
    assert here.peek("lamp").value == "there"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_call_whose_time_is_over_leaves(place, elsewhere, is_async):
    here = place.cache()(name="price", depends_on="nothing", hard_timeout=0.1)(shaped(is_async))
    with pytest.raises(Timeout):
        called(here, is_async)
    assert here.stats().takeovers == 0
    elsewhere.set()
    while (found := here.peek("lamp")) is None:
        time.sleep(0.005)
    assert found.value == "there"

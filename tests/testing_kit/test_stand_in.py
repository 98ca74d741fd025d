"""What is hard to bring about: entries that are gone, computations that fail or are slow; and recordings."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import pytest
from everwarm import Cache, ConfigError, ValueRefused
from everwarm.testing import ManualClock, assert_computed, force, record, replay, slow


@dataclass
class Price:
    sku: str
    cents: int


@pytest.fixture(params=["sync", "async"])
def shop(request):
    """A cached function in each world; `call` calls it, `calls` has what it was computed for."""

    class Shop:
        calls: list[str] = []
        cache = Cache()

        if request.param == "sync":

            @cache(name="price")
            def price(sku: str) -> Price:
                Shop.calls.append(sku)
                return Price(sku, 5)

            call = staticmethod(price)
        else:

            @cache(name="price")
            async def price(sku: str) -> Price:
                Shop.calls.append(sku)
                return Price(sku, 5)

            @staticmethod
            def call(*args):
                return asyncio.run(Shop.price(*args))

    return Shop


@pytest.fixture
def price(shop):
    return vars(shop)["price"]


def test_assert_computed_counts(shop, price):
    with assert_computed(price, 2) as times:
        shop.call("a"), shop.call("a"), shop.call("b")
    assert times == 2
    with pytest.raises(AssertionError, match="was computed 1 times, not 2"):
        with assert_computed(price, 2):
            shop.call("c")
    with pytest.raises(KeyError):
        with assert_computed(price, 2):
            raise KeyError


def test_computations_fail(shop, price):
    shop.call("a")
    with force(price, ConnectionError("down"), key=("b",)):
        assert shop.call("a").cents == 5, "an entry is no computation"
        assert shop.call("c").cents == 5
        with pytest.raises(ConnectionError, match="down"):
            shop.call("b")
    with force(price, ConnectionError):
        with pytest.raises(ConnectionError):
            shop.call("d")
    assert shop.calls == ["a", "c"]
    assert shop.call("b").cents == 5


def test_computations_are_slow(shop, price):
    begun = time.monotonic()
    with force(price, slow("100ms"), key=("a",)):
        shop.call("b")
        assert time.monotonic() - begun < 0.1
        shop.call("a")
    assert time.monotonic() - begun >= 0.1


@pytest.mark.proves("force.key")
def test_entries_are_gone(shop, price):
    shop.call("a"), shop.call("b")
    with force(price, "expired", key=("a",)):
        shop.call("a"), shop.call("b")
    assert shop.calls == ["a", "b", "a"]
    with force(price, "expired"):
        shop.call("a"), shop.call("b")
    assert shop.calls == ["a", "b", "a", "a", "b"]


def test_an_entry_is_stale():
    clock, number = ManualClock(), iter(range(1, 100))

    @Cache(clock=clock)(ttl="1m", stale_if_error="1h")
    def rate(currency: str) -> int:
        return next(number)

    assert rate("EUR") == 1
    with force(rate, "stale", key=("EUR",)), force(rate, ConnectionError("down")):
        found = rate.call("EUR")
        assert (found.value, found.status) == (1, "stale"), "its window serves it"
    clock.advance("2m")
    assert rate("EUR") == 2


def test_what_cannot_be_forced_is_refused(price):
    for what, key in (("stale", None), ("old", ("a",)), (3, None), (str, None), (KeyError, "a")):
        with pytest.raises(ConfigError, match="\nhint: "):
            with force(price, what, key=key):
                raise AssertionError
    with pytest.raises(ConfigError, match="decorated functions"):
        with force(len, KeyError):
            raise AssertionError


def test_methods_are_forced():
    class Shop:
        @Cache()
        def price(self, sku):
            return sku

    shop = Shop()
    with force(shop.price, KeyError("gone"), key=("a",)):
        assert shop.price("b") == "b"
        with pytest.raises(KeyError):
            shop.price("a")


def test_what_was_recorded_is_replayed(shop, price, tmp_path):
    path = tmp_path / "price.jsonl"
    shop.call("a")
    with record(price, path):
        assert [shop.call("a"), shop.call("b"), shop.call("a")] == [
            Price("a", 5),
            Price("b", 5),
            Price("a", 5),
        ]
    assert shop.calls == ["a", "a", "b"] and len(path.read_text().splitlines()) == 2
    with replay(price, path):
        found = [shop.call("b"), shop.call("a")]
        assert found == [Price("b", 5), Price("a", 5)] and type(found[0]) is Price
        with pytest.raises(LookupError, match="was not recorded"):
            shop.call("c")
    assert shop.calls == ["a", "a", "b"], "the function did not run"
    assert shop.call("a").cents == 5 and shop.calls[-1] == "a", "what was replayed is let go"


def test_calls_that_raise_are_not_recorded(tmp_path):
    @Cache()
    def load(x: int) -> int:
        return 1 // x

    with record(load, tmp_path / "load.jsonl"):
        assert load(1) == 1
        with pytest.raises(ZeroDivisionError):
            load(0)
    with replay(load, tmp_path / "load.jsonl"):
        assert load(1) == 1
        with pytest.raises(LookupError):
            load(0)


def test_values_that_would_not_come_back_are_refused(tmp_path):
    @Cache()
    def load(x):
        return object()

    with pytest.raises(ValueRefused):
        with record(load, tmp_path / "load.jsonl"):
            load(1)

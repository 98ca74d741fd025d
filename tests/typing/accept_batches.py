"""Batches give lists for sequences of ids and dicts for sets and mappings."""

from collections.abc import Sequence
from decimal import Decimal

from everwarm import Cache, Result, cache
from typing_extensions import assert_type

shop = Cache()


@cache.batch
def names(ids: list[int]) -> dict[int, str]:
    return {each: str(each) for each in ids}


@shop.batch(ttl="5m", chunk=500, tags=["sku:{skus}"])
async def prices(skus: Sequence[str], currency: str = "EUR") -> dict[str, Decimal]:
    return {sku: Decimal(len(sku + currency)) for sku in skus}


@shop.batch()
def aligned(ids: list[int]) -> list[float | None]:
    return [each or None for each in ids]


@shop.batch
async def pairs(ids: tuple[str, ...]) -> list[bytes]:
    return [each.encode() for each in ids]


@shop.batch
def known(ids: frozenset[int]) -> dict[int, str]:
    return dict.fromkeys(ids, "")


@shop.batch
async def totals(basket: dict[str, int], *, vat: float) -> dict[str, float]:
    return {sku: count * vat for sku, count in basket.items()}


@shop.batch(argument="ids")
def elsewhere(currency: str, ids: list[int]) -> dict[int, str]:
    return dict.fromkeys(ids, currency)


class Store:
    @shop.batch
    def stock(self, skus: list[str]) -> dict[str, int]:
        return dict.fromkeys(skus, 1)


async def main() -> None:
    assert_type(names([1, 2]), list[str | None])
    assert_type(names.load(3), str | None)
    assert_type(names.peek(3), Result[str | None] | None)
    assert_type(names.call([3]), list[Result[str | None]])
    assert_type(names.refresh([3]), list[str | None])
    assert_type(names.using(max_age=5)([3]), list[str | None])
    names.prime({3: "c", 4: None})
    names.invalidate(3)
    names.invalidate_many([3, 4])
    assert_type(await prices(("a",), "USD"), list[Decimal | None])
    assert_type(await prices(["a"], currency="USD"), list[Decimal | None])
    assert_type(await prices.load("a", "USD"), Decimal | None)
    assert_type((await prices.call(["a"]))[0].value, Decimal | None)
    assert_type(aligned([1]), list[float | None])
    assert_type(await pairs(("a",)), list[bytes | None])
    assert_type(await pairs.load("a"), bytes | None)
    assert_type(known(frozenset({1})), dict[int, str])
    assert_type(known.call(frozenset({1})), dict[int, Result[str | None]])
    assert_type(known.load(1), str | None)
    assert_type(await totals({"a": 2}, vat=1.2), dict[str, float])
    assert_type(await totals.load({"a": 2}, vat=1.2), float | None)
    elsewhere("EUR", [1])
    Store().stock(["a"])
    Store().stock.load("a")

"""Methods bind: their instance is no argument of the call, nor of a verb."""

from typing import Generic, TypeVar

from everwarm import Cache, Result, cache
from typing_extensions import assert_type

T = TypeVar("T")
shop = Cache()


class Shop:
    @cache
    def price(self, sku: str, *, net: bool = False) -> float:
        return len(sku) * (1.0 - net)

    @shop(ttl=5)
    async def stock(self, sku: str) -> int:
        return len(sku)

    @classmethod
    @cache
    def named(cls, name: str) -> "Shop":
        return cls()

    @classmethod
    @cache(ttl=5)
    async def opened(cls, name: str) -> int:
        return len(name)

    @staticmethod
    @cache
    def tax(amount: float) -> float:
        return amount * 0.2

    @staticmethod
    @cache(ttl=5)
    async def rate(currency: str) -> float:
        return 1.0

    @property
    @cache
    def size(self) -> int:
        return 1


class Corner(Shop): ...


one = Shop()
assert_type(one.price("a", net=True), float)
assert_type(one.price.key("a"), str)
assert_type(one.price.peek("a"), Result[float] | None)
assert_type(one.price.refresh("a", net=True), float)
assert_type(one.price.call("a").value, float)
assert_type(one.price.uncached("a"), float)
one.price.prime(1.5, "a", net=True)
one.price.invalidate("a")
one.price.clear()

# Reached through the class, the instance is the first argument.
assert_type(Shop.price(one, "a"), float)
assert_type(Shop.price.key(one, "a", net=True), str)
Shop.price.invalidate(one, "a")

assert_type(Shop.named("a"), Shop)
assert_type(one.named("a"), Shop)
assert_type(Shop.named.key("a"), str)
one.named.invalidate("a")

assert_type(Shop.tax(1.0), float)
assert_type(one.tax(1.0), float)
assert_type(Shop.tax.key(1.0), str)
one.tax.invalidate(1.0)

assert_type(one.size, int)

corner = Corner()
assert_type(corner.price("a"), float)
assert_type(Corner.price(corner, "a"), float)
assert_type(Corner.tax(1.0), float)


async def main() -> None:
    assert_type(await one.stock("a"), int)
    assert_type(await Shop.stock(one, "a"), int)
    assert_type(await one.stock.refresh("a"), int)
    assert_type(one.stock.peek("a"), Result[int] | None)
    assert_type(await Shop.opened("a"), int)
    assert_type(await one.opened.call("a"), Result[int])
    assert_type(await Shop.rate("EUR"), float)
    assert_type(await one.rate("EUR"), float)


class Shelf(Generic[T]):
    @cache
    def beside(self, value: T) -> list[T]:
        return [value]


shelf: Shelf[int] = Shelf()
assert_type(shelf.beside(1), list[int])
shelf.beside.prime([2], 1)

"""Wrong calls of methods, bound and not."""

from everwarm import cache


class Shop:
    @cache
    def price(self, sku: str, *, net: bool = False) -> float:
        return len(sku) * (1.0 - net)

    @cache(ttl=5)
    async def stock(self, sku: str) -> int:
        return len(sku)

    @classmethod
    @cache
    def named(cls, name: str) -> "Shop":
        return cls()

    @staticmethod
    @cache
    def tax(amount: float) -> float:
        return amount * 0.2


one = Shop()
one.price(1)  # E: arg-type / reportArgumentType
one.price()  # E: call-arg / reportCallIssue
one.price(one, "a")  # E: call-arg, arg-type / reportCallIssue
one.price.key(1)  # E: arg-type / reportArgumentType
one.price.invalidate(one, "a")  # E: call-arg, arg-type / reportCallIssue
one.price.prime("x", "a")  # E: arg-type / reportArgumentType
Shop.price("a")  # E: call-arg, arg-type / reportCallIssue
Shop.price.invalidate("a")  # E: call-arg, arg-type / reportCallIssue
Shop.named(1)  # E: arg-type / reportArgumentType
one.named(1)  # E: arg-type / reportArgumentType
Shop.named.invalidate(Shop, "a")  # E: call-arg, arg-type / reportCallIssue
Shop.tax("x")  # E: arg-type / reportArgumentType
one.tax("x")  # E: arg-type / reportArgumentType
one.tax.key()  # E: call-arg / reportCallIssue


async def main() -> str:
    await one.stock(1)  # E: arg-type / reportArgumentType
    return await one.stock("a")  # E: return-value / reportReturnType

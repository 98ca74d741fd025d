"""Invalidation by values, after a commit, and by the listeners."""

from datetime import timedelta

from everwarm import Cache, Policy
from everwarm.integrations import django, sqlalchemy

shop = Cache()


class User:
    id: int


@shop(index=("user_id",))
def page(user_id: int, number: int) -> str:
    return f"{user_id}/{number}"


@shop(Policy(index=True))
async def later(user_id: int) -> str:
    return str(user_id)


class Store:
    @shop(index=["sku"])
    def price(self, sku: str) -> int:
        return len(sku)


page.invalidate_where(user_id=3)
later.invalidate_where(user_id=3)
Store().price.invalidate_where(sku="lamp")


@shop.invalidates(tags=["user:{user_id}"], delay="2s")
def rename(user_id: int) -> None:
    pass


with shop.unit_of_work() as unit, shop.unit_of_work(delay=timedelta(seconds=2)):
    rename(3)


async def main() -> None:
    await page.ainvalidate_where(user_id=3, number=1)
    await Store().price.ainvalidate_where(sku="lamp")
    async with shop.unit_of_work(mark_before=True, timeout=30):
        rename(3)


def tags(user: User) -> list[str]:
    return [f"user:{user.id}"]


sqlalchemy.watch(object(), shop, {User: tags}, bulk=lambda model: [model.__name__], mark_before=True)
django.watch(shop, {User: tags}, delay=2)
django.invalidate_on_commit(shop, "user:3", using="default")

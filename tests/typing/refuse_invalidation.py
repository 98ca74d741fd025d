"""What is no index, no unit of work and no listener."""

from everwarm import Cache
from everwarm.integrations import django

shop = Cache()


@shop(index=("user_id",))
def page(user_id: int) -> str:
    return str(user_id)


page.invalidate_where(3)  # E: call-arg / reportCallIssue
shop(index="user_id")  # E: call-overload / reportArgumentType
shop(index=3)  # E: call-overload / reportArgumentType
shop.unit_of_work("2s")  # E: call-arg / reportCallIssue
shop.unit_of_work(mark_before="yes")  # E: arg-type / reportArgumentType
shop.invalidates(tags=["a"], delay=[2])  # E: arg-type / reportArgumentType
django.watch(shop, {"User": lambda user: ["user"]})  # E: dict-item / reportArgumentType

with shop.unit_of_work(timeout=None):  # E: arg-type / reportArgumentType
    pass

"""Wrong uses of a cache as a table of objects, and of the clock of tests."""

from everwarm import Cache
from everwarm.testing import ManualClock, clock

shop = Cache()

Cache(5)  # E: arg-type / reportArgumentType
Cache(None, "shop")  # E: call-arg / reportCallIssue
Cache(max_entries="5")  # E: arg-type / reportArgumentType
Cache(eviction="mru")  # E: arg-type / reportArgumentType
Cache(policy={"ttl": 5})  # E: arg-type / reportArgumentType
Cache(clock=5)  # E: arg-type / reportArgumentType
Cache(ttl=5)  # E: call-arg / reportCallIssue

shop.get()  # E: call-overload / reportCallIssue
shop.set("k")  # E: call-arg / reportCallIssue
shop.set("k", 1, 5)  # E: call-arg / reportCallIssue
shop.set("k", 1, ttl=b"5")  # E: arg-type / reportArgumentType
shop.set("k", 1, tags="a")  # E: arg-type / reportArgumentType
shop.set("k", 1, tags=[1])  # E: list-item / reportArgumentType
kept: str = shop.delete("k")  # E: assignment / reportAssignmentType
shop.invalidate_tags(1)  # E: call-overload / reportArgumentType, reportCallIssue
shop.invalidate_tags(["a"], "b")  # E: call-overload / reportArgumentType
shop.get_many(5)  # E: arg-type / reportArgumentType
shop.set_many(["k"])  # E: arg-type / reportArgumentType
shop.get_or_compute("k", 5)  # E: arg-type / reportArgumentType
shop.get_or_compute("k", lambda key: key)  # E: arg-type, misc / reportArgumentType, reportUnknownLambdaType
computed: str = shop.get_or_compute("k", lambda: 5)  # E: assignment / reportAssignmentType
shop.expire("k", None)  # E: arg-type / reportArgumentType
shop.expire_at("k", "soon")  # E: arg-type / reportArgumentType
shop.incr("k", 1.5)  # E: arg-type / reportArgumentType
shop.incr("k", 1, 5)  # E: call-arg / reportCallIssue
shop.compare_and_set("k", "1", 5)  # E: arg-type / reportArgumentType
shop.scan(5)  # E: arg-type / reportArgumentType
counted: str = shop.incr("k")  # E: assignment / reportAssignmentType
shop["k"]  # E: index / reportIndexIssue
shop.health("deep")  # E: arg-type / reportArgumentType
shop.copy_to("redis://host")  # E: arg-type / reportArgumentType
shop.copy_to(shop, rate="5/s")  # E: arg-type / reportArgumentType
swept: str = shop.sweep()  # E: assignment / reportAssignmentType

ManualClock("now")  # E: arg-type / reportArgumentType
ManualClock().advance(None)  # E: arg-type / reportArgumentType
ManualClock().now = 5  # E: misc / reportAttributeAccessIssue
clock(5)  # E: arg-type / reportArgumentType

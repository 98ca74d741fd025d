"""Unknown keywords, and keywords of the wrong type."""

from everwarm import Cache, Keyed, Policy, cache

shop = Cache()
policy = Policy(ttl=5)


@cache(tll=5)  # E: call-overload, untyped-decorator / reportCallIssue, reportUntypedFunctionDecorator
def misspelt(x: int) -> int:
    return x


cache(ttl=[5])  # E: call-overload / reportArgumentType
cache(jitter="x")  # E: call-overload / reportArgumentType
cache(cache_none=None)  # E: call-overload / reportArgumentType
cache(when=1)  # E: call-overload / reportArgumentType
cache(key=1)  # E: call-overload / reportArgumentType
cache(tags="user")  # E: call-overload / reportArgumentType
cache(tags=[1])  # E: list-item / reportArgumentType
cache(tags=lambda: 1)  # E: arg-type / reportArgumentType
cache(tags_from_result=["a"])  # E: call-overload / reportArgumentType
cache(version=2)  # E: call-overload / reportArgumentType
cache(name=2)  # E: call-overload / reportArgumentType
cache(upgrade="1")  # E: call-overload / reportArgumentType
cache(upgrade={"1": 2})  # E: dict-item / reportArgumentType
cache(policy, tll=5)  # E: call-overload / reportCallIssue
shop("5m")  # E: call-overload / reportArgumentType, reportCallIssue

Policy(5)  # E: call-arg / reportCallIssue
Policy(tll=5)  # E: call-arg / reportCallIssue
Policy(ttl=b"5m")  # E: arg-type / reportArgumentType
policy.replace(tll=5)  # E: call-arg / reportCallIssue
policy.replace(version=5)  # E: arg-type / reportArgumentType
policy.ttl = 5  # E: misc / reportAttributeAccessIssue
Keyed()  # E: call-arg / reportCallIssue
Keyed("id")  # E: call-arg / reportCallIssue
Keyed(by=1)  # E: arg-type / reportArgumentType

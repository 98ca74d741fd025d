import everwarm
from everwarm import Cache, cache, configure
from everwarm.testing import computed_times

configure(tll=3)  # E: call-arg / reportCallIssue
configure(ttl=[3])  # E: arg-type / reportArgumentType
configure(max_entries="3")  # E: arg-type / reportArgumentType
Cache.from_env(3)  # E: arg-type / reportArgumentType
Cache.from_dict("ttl")  # E: arg-type / reportArgumentType


@cache.production
def plain(x: int) -> str:
    return str(x)


plain("a")  # E: arg-type / reportArgumentType
cache.production(tll=3)  # E: call-overload / reportCallIssue
computed_times(len)  # E: arg-type / reportArgumentType
everwarm.disabled(3)  # E: call-arg / reportCallIssue
cache.describe()["ttl"].value = 3  # E: misc / reportAttributeAccessIssue

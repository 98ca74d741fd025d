"""Windows and contexts as users write them."""

from datetime import timedelta

from everwarm import DO_NOT_STORE, Cache, Context, Policy, Result, context
from typing_extensions import assert_type

shop = Cache()


@shop(
    ttl="1m",
    refresh_ahead=0.8,
    stale_while_revalidate=timedelta(minutes=1),
    stale_if_error="1h",
    stale_if_error_on=(OSError, ValueError),
    error_backoff=10,
    fallback=lambda error: 0,
    negative_ttl={LookupError: "10s", None: 60},
    negative_growth=2,
    negative_max_ttl="1m",
)
def price(sku: str) -> int:
    here = context()
    here.ttl = None
    here.ttl = "5m"
    here.tags.add(sku)
    here.etag = "v1"
    here.skip()
    return 3


assert_type(price("a"), int)
assert_type(price.call("a"), Result[int])
assert_type(context(), Context)
assert_type(price.stats().stale, int)
assert_type(price.stats().refreshes, int)

Policy(ttl=5, sliding=True)
Policy(ttl=5, refresh_every="1s")
Policy(ttl=5, sliding=0.1, sliding_max_age="8h")
Policy(ttl=5, refresh_ahead="xfetch", serve_stale_next_time=True, negative_ttl=5, negative_on=KeyError)


@shop(ttl=lambda result: result.count("a") or DO_NOT_STORE)
def text(path: str) -> str:
    return path

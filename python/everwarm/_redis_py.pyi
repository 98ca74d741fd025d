"""``from_redis_py``: a tier on the server that a client of redis-py is connected to."""

from datetime import timedelta
from typing import Literal

from everwarm._tier import Tier

def from_redis_py(
    client: object,
    *,
    hear: Literal["messages", "tracking"] | None = None,
    connect_timeout: str | None = None,
    ttl: float | timedelta | str | None = None,
    write: Literal["through", "behind", "around"] | None = None,
    timeout: float | timedelta | str | None = None,
    breaker: bool | None = None,
    retry: bool | None = None,
    bulkhead: int | Literal[False] | None = None,
) -> Tier: ...

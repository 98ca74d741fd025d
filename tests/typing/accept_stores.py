"""What a store may look like, and how it is held to the contract."""

import everwarm
from everwarm.testing import ManualClock, conformance, open_store
from typing_extensions import assert_type


class Plain:
    def get(self, key: str) -> tuple[bytes, float | None] | None:
        return None

    def set(self, key: str, value: bytes, seconds: float | None) -> None: ...

    def delete(self, key: str) -> bool:
        return False

    def clear(self, prefix: str) -> None: ...


class Versioned(everwarm.Store):
    def get(self, name: str, /) -> tuple[bytes, float | None, int] | None:
        return None

    def set(self, name: str, data: bytes, ttl: float | None, /) -> None: ...

    def delete(self, name: str, /) -> bool:
        return False

    def clear(self, prefix: str, /) -> int:
        return 0


assert_type(everwarm.from_redis_py(object(), timeout="100ms", retry=False), everwarm.Tier)
plain: everwarm.Store = Plain()
native: everwarm.Store = open_store("memory://", clock=ManualClock())

conformance.check(Plain)
conformance.check(lambda: Versioned(), only="store::what_was_set_is_found")
conformance.check(lambda place: open_store(f"file://{place.directory}"))
assert_type(conformance.promises("scan"), list[str])
assert_type(conformance.outcome(Plain, "store::what_was_set_is_found"), bool | str | None)
assert_type(open_store("memory://").get("name"), tuple[bytes, float | None, int] | None)

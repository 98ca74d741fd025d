"""What is no store."""

import everwarm
from everwarm.testing import open_store


class Forgetful:
    def get(self, name: str) -> None: ...


class Awaits:
    async def get(self, name: str) -> tuple[bytes, float | None] | None:
        return None

    def set(self, name: str, data: bytes, ttl: float | None) -> None: ...

    def delete(self, name: str) -> bool:
        return False

    def clear(self, prefix: str) -> None: ...


forgetful: everwarm.Store = Forgetful()  # E: assignment / reportAssignmentType
awaits: everwarm.Store = Awaits()  # E: assignment / reportAssignmentType
open_store("memory://").set("name", "text")  # E: arg-type / reportArgumentType

"""What a batch is not to be given."""

from everwarm import cache


@cache.batch
def names(ids: list[int], locale: str = "en") -> dict[int, str]:
    return dict.fromkeys(ids, locale)


@cache.batch
async def known(ids: set[int]) -> dict[int, str]:
    return dict.fromkeys(ids, "")


names(["a"])  # E: list-item / reportArgumentType
names(3)  # E: arg-type / reportArgumentType
names([1], 3)  # E: arg-type / reportArgumentType
names({1})  # E: arg-type / reportArgumentType
names.load("a")  # E: arg-type / reportArgumentType
names.peek([1])  # E: arg-type / reportArgumentType
names.prime({1: 2})  # E: dict-item / reportArgumentType
names([1])[0].upper()  # E: union-attr / reportOptionalMemberAccess
names.invalidate("a")  # E: arg-type / reportArgumentType
cache.batch(ttl=5, chunks=3)  # E: call-overload / reportCallIssue
cache.batch(chunk="all")  # E: call-overload / reportArgumentType
known({1}).items()  # E: attr-defined / reportAttributeAccessIssue, reportUnknownMemberType

"""Wrong calls of coroutine functions: what is awaited, and what is not."""

from everwarm import cache


@cache(ttl=5)
async def profile(user: int, *, deep: bool = False) -> str:
    return str(user) * (1 + deep)


text: str = profile(1)  # E: assignment / reportAssignmentType
fresh: str = profile.refresh(1)  # E: assignment / reportAssignmentType
known: str = profile.call(1)  # E: assignment / reportAssignmentType


async def main() -> int:
    await profile("x")  # E: arg-type / reportArgumentType
    await profile.refresh("x")  # E: arg-type / reportArgumentType
    await profile.call()  # E: call-overload / reportCallIssue
    await profile.uncached(1, deep="x")  # E: arg-type / reportArgumentType
    await profile.peek(1)  # E: misc / reportGeneralTypeIssues
    await profile.invalidate(1)  # E: func-returns-value, misc / reportGeneralTypeIssues
    await profile.ainvalidate("x")  # E: arg-type / reportArgumentType
    await profile.aprime(1, "x")  # E: call-overload / reportCallIssue, reportArgumentType
    profile.prime(1, "x")  # E: call-overload / reportArgumentType, reportCallIssue
    profile(1)  # E: unused-coroutine / reportUnusedCoroutine
    return await profile(1)  # E: return-value / reportReturnType

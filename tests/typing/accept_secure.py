"""Keyrings, compression, tenants and strictness."""

from contextvars import ContextVar
from pathlib import Path
from typing import Literal
from uuid import UUID

from everwarm import Cache, Keyring, Policy, StoreError, TenantMissing, cache, configure
from typing_extensions import assert_type

tenant: ContextVar[str] = ContextVar("tenant")
owner: ContextVar[UUID | None] = ContextVar("owner")

keyring = Keyring(b"\0" * 32, "2: 00", names="00")
assert_type(keyring.ids, tuple[int, ...])
assert_type(Keyring.from_env("SHOP_KEY"), Keyring)
assert_type(Keyring.from_file(Path("keys")), Keyring)
assert_type(Keyring.from_file("keys"), Keyring)
assert_type(Keyring.from_password("correct horse", salt=b"0123456789abcdef"), Keyring)
assert_type(Keyring.from_password("correct horse", salt="0123456789abcdef"), Keyring)

shop = Cache(
    "disk:",
    keyring=keyring,
    compression="zstd:9",
    compression_threshold=512,
    max_value="1MiB",
    on_tamper="raise",
    tenant=tenant,
    strict=True,
)
Cache(keyring=None, compression=None, tenant=owner)
configure(keyring=keyring)


@shop(tenant="org", encrypted=True, strict=False)
def load(org: str) -> int:
    return len(org)


@cache(tenant=lambda org: org)
def other(org: str) -> int:
    return len(org)


@cache.secure(tenant=owner)
def third(org: str) -> int:
    return len(org)


assert_type(load("acme"), int)
assert_type(third("acme"), int)

policy = Policy(tenant="{user.org}", encrypted=True, strict=None)
assert_type(policy.encrypted, bool)
assert_type(policy.strict, bool | None)

try:
    load("acme")
except TenantMissing as missing:
    assert isinstance(missing, LookupError)
except StoreError as error:
    kind: Literal["tampered"] | str = error.kind

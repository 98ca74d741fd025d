"""Wrong keyrings, compressions, tenants and strictness."""

from everwarm import Cache, Keyring, Policy

Keyring(3)  # E: arg-type / reportArgumentType
Keyring(b"", older=b"")  # E: call-arg / reportCallIssue
Keyring.from_password("correct horse")  # E: call-arg / reportCallIssue
Cache(keyring="00")  # E: arg-type / reportArgumentType
Cache(compression=9)  # E: arg-type / reportArgumentType
Cache(on_tamper="ignore")  # E: arg-type / reportArgumentType
Cache(tenant="org")  # E: arg-type / reportArgumentType
Cache(strict="yes")  # E: arg-type / reportArgumentType
Policy(encrypted=None)  # E: arg-type / reportArgumentType
Policy(tenant=3)  # E: arg-type / reportArgumentType

"""Wrong bounds of bytes, weighers and listeners."""

from everwarm import Cache, Policy

Cache(max_bytes=1.5)  # E: arg-type / reportArgumentType
Cache(max_bytes=b"1MB")  # E: arg-type / reportArgumentType
Cache(weigher=5)  # E: arg-type / reportArgumentType
Cache(weigher=str)  # E: arg-type / reportArgumentType
Cache(on_remove="print")  # E: arg-type / reportArgumentType
Cache(max_entry_bytes=5)  # E: call-arg / reportCallIssue
Policy(max_entry_bytes=b"1MB")  # E: arg-type / reportArgumentType
Policy(max_bytes=5)  # E: call-arg / reportCallIssue
kept: int = Cache().what_if().half  # E: assignment / reportAssignmentType

"""Windows that are none."""

from everwarm import Policy, context

Policy(stale_if_error_on=[ValueError])  # E: arg-type / reportArgumentType
Policy(stale_if_error_on=ValueError("no"))  # E: arg-type / reportArgumentType
Policy(refresh_ahead=b"xfetch")  # E: arg-type / reportArgumentType
Policy(ttl=5, sliding="half")  # E: arg-type / reportArgumentType
Policy(negative_on="KeyError")  # E: arg-type / reportArgumentType
context().old_value  # E: attr-defined / reportAttributeAccessIssue, reportUnknownMemberType

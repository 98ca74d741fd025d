"""Limits of computations that cannot be meant."""

from everwarm import Cache, Policy

Cache(max_computations="8")  # E: arg-type / reportArgumentType
Cache(on_background_error=3)  # E: arg-type / reportArgumentType
Policy(hard_timeout=[])  # E: arg-type / reportArgumentType
Policy(on_timeout="keep")  # E: arg-type / reportArgumentType
Policy(wait_timeout=None)  # E: arg-type / reportArgumentType
Policy(on_cancel=True)  # E: arg-type / reportArgumentType

"""The errors that Everwarm raises: one base, and kinds that are also the built-in they mean."""

from __future__ import annotations


class Error(Exception):
    """Whatever Everwarm raises of its own."""


class ConfigError(Error, ValueError):
    """A cache, a policy or the environment says something that cannot be."""


class UnknownOption(Error, TypeError):
    """A keyword that no option has."""


class KeyRefused(Error, TypeError):
    """An argument that cannot be part of a key; the message says where it is and what to add."""


class ValueRefused(Error, TypeError):
    """A value that would not come back from a store as it is; the message says which part, and what to do."""


class BatchMismatch(Error, ValueError):
    """A batch's function gave values that do not answer to the ids it was asked for."""


class Unsupported(Error, NotImplementedError):
    """A store was asked for what it cannot do."""


class Recursion(Error, RecursionError):
    """A call that waits for itself."""


class Timeout(Error, TimeoutError):
    """A wait that took longer than it was allowed to."""


class NotCached(Error, LookupError):
    """Only a cached value was asked for, and there is none."""


class NotHeld(Error, RuntimeError):
    """A lock or a semaphore that is not held, or was lost while it was."""


class Closed(Error, RuntimeError):
    """The cache is closed."""


class TenantMissing(Error, LookupError):
    """A call or a verb that is to be some tenant's has no tenant."""


class StoreError(Error):
    """A store failed.

    `kind` is one of `transient`, `permanent`, `timeout`, `authentication`, `capacity`, `capability`,
    `corruption` and `tampered`.
    """

    def __init__(self, message: str, *, kind: str = "permanent") -> None:
        super().__init__(message)
        self.kind = kind

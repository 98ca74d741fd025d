"""Types of ``_together``."""

from collections.abc import Sequence
from typing import Any

from everwarm._batch import Batch
from everwarm._timed import _Call  # pyright: ignore[reportPrivateUsage]

class Together:
    def __init__(self, batch: Batch[Any, Any, ..., Any, Any], tenant: object) -> None: ...
    def begin(self, calls: Sequence[_Call]) -> None: ...

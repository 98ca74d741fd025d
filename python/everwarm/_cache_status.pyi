"""What a `Result` says in an HTTP `Cache-Status` field."""

from typing import Any

from everwarm._result import Result

def member(result: Result[Any], name: str, key: bool) -> str: ...

"""How the values of a function lie in stores."""

from collections.abc import Callable
from typing import Any

from everwarm._cache import Cache
from everwarm._native import Format, Terms

def of_function(
    function: Callable[..., Any], cache: Cache, policy: Terms
) -> tuple[str, str, Format, list[tuple[str, str, Format, Callable[[Any], object] | None]]] | None: ...
def of_objects(cache: Cache) -> Format: ...
def refuse_pickles(stores: object) -> None: ...

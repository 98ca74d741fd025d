"""Generator functions: what they yield is recorded as it is consumed, and replayed from then on."""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar

from typing_extensions import Self, disjoint_base

from everwarm._function import Function
from everwarm._native import Plan

_P = ParamSpec("_P")
_R_co = TypeVar("_R_co", covariant=True)

@disjoint_base
class Items(tuple[Any, ...]):
    """What a generator has yielded, with what it returned."""

    returned: Any

    def __new__(cls, items: Iterable[Any] = (), returned: Any = None) -> Self: ...

# To a checker the verbs are those of `Function`, which knows generators by what the call gives.
class Replayed(Function[_P, _R_co], Generic[_P, _R_co]):
    """A decorated generator function, or asynchronous generator function."""

def replay(
    function: Replayed[..., Any],
    stream: Iterator[Any],
    call: tuple[tuple[Any, ...], dict[str, Any]],
    plan: Plan,
    told: list[tuple[str, Items | None]] | None,
) -> Generator[Any, None, Any]: ...
def replay_async(
    function: Replayed[..., Any],
    stream: AsyncIterator[Any],
    call: tuple[tuple[Any, ...], dict[str, Any]],
    plan: Plan,
    told: list[tuple[str, Items | None]] | None,
) -> AsyncGenerator[Any]: ...

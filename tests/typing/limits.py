"""What a checker refuses though it is right; a line goes when its checker has learned it."""

from typing import Protocol, TypeVar, overload

from everwarm import Policy, cache
from typing_extensions import Self

T = TypeVar("T")


class Shelf:
    @cache
    def same(self, value: T) -> T:
        return value

    @cache
    def itself(self) -> Self:
        return self

    @staticmethod
    @cache
    def echo(value: T) -> T:
        return value

    @staticmethod
    @cache
    def length(value: object) -> int:
        return len(str(value))


shelf = Shelf()

# mypy does not carry the type variables of a method through its binding.
shelf.same(1)  # E: arg-type / -
shelf.itself()  # E: call-arg / -

# A static method that would take the instance, or the class, looks like a method that is to be bound.
shelf.echo(1)  # E: - / reportCallIssue
shelf.length("a")  # E: call-arg / reportCallIssue
Shelf.length("a")  # E: call-arg / reportCallIssue

# Beyond three parameters, pyright does not know those of a lambda; a function with annotations serves.
Policy(key=lambda a, b, c, d: [a, b, c, d])  # E: - / reportUnknownArgumentType, reportUnknownLambdaType


@overload
def either(x: int) -> int: ...
@overload
def either(x: str) -> str: ...
def either(x: int | str) -> int | str:
    return x


# A parameter specification holds one signature, so of overloads the first is taken.
cached = cache(either)
cached("a")  # E: arg-type / reportArgumentType


class Priced(Protocol):
    def price(self, sku: str) -> float: ...


class Base:
    def price(self, sku: str) -> float:
        return len(sku)


class Shop(Base):
    @cache
    def price(self, sku: str) -> float:  # E: - / reportIncompatibleMethodOverride
        return len(sku)


# pyright takes a method for what it is in the class, and a protocol's for what it is on the instance.
priced: Priced = Shop()  # E: - / reportAssignmentType

"""Parameters that say by what they are keyed, and those that are not keyed at all."""

from typing import Annotated

import pytest
from everwarm import Cache, Keyed, NotKeyed


class User:
    """A class without a canonical form of its own."""

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name


def test_a_parameter_may_be_no_part_of_the_key() -> None:
    @Cache()
    def greet(name: str, log: Annotated[object, NotKeyed]) -> object:
        return log

    assert greet("Ada", 1) == greet("Ada", object()) == 1
    assert greet.stats().entries == 1


@pytest.mark.proves("Keyed.by")
@pytest.mark.parametrize("by", ["number", lambda user: user.number], ids=["attribute", "function"])
def test_a_parameter_is_keyed_by_what_is_said(by) -> None:
    # Annotations are made here, where what is given is known.
    def load(user, language="en"):
        return user.name

    load.__annotations__ = {"user": Annotated[User, Keyed(by=by)], "language": str, "return": str}
    load = Cache()(load)
    assert load(User(1, "Ada")) == load(User(1, "Bob")) == load(user=User(1, "Eve")) == "Ada"
    assert (load(User(2, "Bob")), load(User(1, "Bob"), "de")) == ("Bob", "Bob")
    assert load.stats().entries == 3

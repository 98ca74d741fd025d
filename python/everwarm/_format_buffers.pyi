"""Views of memory and arrays of the standard library."""

from typing import Final

from typing_extensions import Buffer

VIEW: Final = 66
NUMBERS: Final = 67

def taken(kind: int, obj: object) -> tuple[list[object], Buffer]: ...
def made(kind: int, said: list[object], content: Buffer, is_shared: bool) -> object: ...

"""Damaged values, and what a reader makes of them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from vector_values import PATH


def damaged(count: int, *groups: str) -> Iterator[bytes]:
    """Values with some of their bytes flipped, set, cut out or doubled; the same at every run."""
    vectors = json.loads(PATH.read_text())["vectors"]
    seeds = [bytes.fromhex(vector["hex"]) for vector in vectors if vector["group"] in groups]
    draw = random.Random(0x5EED)
    for _ in range(count):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.randint(1, 4)):
            if not data:
                break
            at = draw.randrange(len(data))
            end = at + draw.randint(0, (len(data) - at) // 4)
            match draw.randrange(5):
                case 0:
                    data[at] ^= 1 << draw.randrange(8)
                case 1:
                    data[at] = draw.randrange(256)
                case 2:
                    del data[at:end]
                case 3:
                    del data[at:]
                case _:
                    data[at:at] = data[at:end]
        yield bytes(data)


def escapes(read: Callable[[bytes], Any], inputs: Iterator[bytes]) -> list[str]:
    """What a reader raises that it may not."""
    found = []
    for data in inputs:
        try:
            read(data)
        except (ValueError, LookupError) as error:
            # What `decode` itself raises is one of these two, not a kind of them.
            if type(error) not in (ValueError, LookupError):
                found.append(f"{type(error).__name__} at {data.hex()}")
        except BaseException as error:
            found.append(f"{type(error).__name__} at {data.hex()}")
    return found


# Small things that announce large ones, and what no constructor may be given.
BOMBS = {
    "a list of four milliards": "ddffffffff",
    "a dict of two milliards": "df7fffffff",
    "bytes of two gigabytes": "c67fffffff00",
    "a text of two gigabytes": "db7fffffff00",
    "an extension of two gigabytes": "c97fffffff0200",
    "each level announces all that is left": "dd0000fff0" * 13_000,
    "lists without end": "91" * 100_000,
    "dicts without end": "81a161" * 50_000,
    "a fraction that takes long to shorten": "c9000200101793" + "00" * 131_072,
    "an int that is no shortest form": "c70901" + "00" * 9,
    "a decimal that is no number": "c70316" + "312e78"[:6],
    "a range of floats": "c71c0793" + "cb3ff0000000000000" * 3,
    "a zone beside the zones": "c71515" + "b4" + b"../../../etc/passwd.".hex(),
    "a factory that is none": "c70721" + "92a4" + b"eval".hex() + "80",
    "a path of no class of paths": "c70719" + "92a3" + b"str".hex() + "a161",
    "an element that cannot be hashed": "c7020391" + "90",
    "a key that cannot be hashed": "819001",
    "a key twice": "820101" + "0102",
    "an element twice": "c70303" + "920101",
    "an element twice, equal and of another type": "c70303" + "9201c3",
    "a text that is no UTF-8": "a1ff",
    "a reserved byte": "c1",
    "an extension of no number": "c7007f",
    "a day that is none": "c70510" + "93cd07e80d20"[:10],
}

"""Zones that libraries make: they come back as they are, also inside pydantic's models."""

from __future__ import annotations

import datetime
import pathlib
from typing import Any

import everwarm
import pytest
from everwarm import Cache
from everwarm._native import Format, decode, encode
from same import same

pytestmark = pytest.mark.libraries
pydantic = pytest.importorskip("pydantic")
pydantic_core = pytest.importorskip("pydantic_core")
tz = pytest.importorskip("dateutil.tz")

PLAN = Format("msgpack")


class Order(pydantic.BaseModel):
    at: datetime.datetime
    until: datetime.time | None = None


@pytest.mark.parametrize(
    "text", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5-01:30", "2024-01-01T00:00:00"]
)
def test_what_pydantic_made_comes_back(tmp_path: pathlib.Path, text: str) -> None:
    order = Order.model_validate({"at": text, "until": "12:00:00+02:00"})
    with Cache([f"file://{tmp_path}"], strict=True) as cache:

        @cache(name="order")
        def load(number: int) -> Order:
            return order

        assert load(1) == order
        back = load(1)
        assert load.stats().computations == 1 and back == order and type(back) is Order
        assert same(back.at, order.at) and type(back.at.tzinfo) is type(order.at.tzinfo)
        assert back.until and type(back.until.tzinfo) is pydantic_core.TzInfo


@pytest.mark.parametrize(
    "zone",
    [
        pydantic_core.TzInfo(0),
        pydantic_core.TzInfo(86399),
        pydantic_core.TzInfo(-86399),
        tz.tzutc(),
        tz.tzoffset(None, 0),
        tz.tzoffset("a", -3600),
        tz.tzoffset(None, datetime.timedelta(microseconds=1)),
    ],
    ids=repr,
)
def test_a_zone_comes_back(zone: Any) -> None:
    back = decode(encode(zone, PLAN), PLAN)
    assert type(back) is type(zone) and back == zone and back.tzname(None) == zone.tzname(None)
    when = datetime.datetime(2024, 1, 1, tzinfo=zone)
    assert decode(encode(when, PLAN), PLAN).utcoffset() == when.utcoffset()


@pytest.mark.parametrize(
    "said",
    [
        [],
        ["pydantic_core.TzInfo"],
        ["pydantic_core.TzInfo", 1],
        ["pydantic_core.TzInfo", 86_400_000_000],
        ["pydantic_core.TzInfo", 0, "UTC"],
        ["pydantic_core.PydanticUndefined", 0],
        ["dateutil.tzutc", 1],
        ["dateutil.tzoffset", 2**63],
        ["dateutil.tzoffset", -(2**63)],
        ["dateutil.tzoffset", 0, 1],
        ["dateutil.tzlocal", 0],
        ["os.system", 0],
        [0, 0],
    ],
)
def test_what_is_none_is_refused(said: list[Any]) -> None:
    body = encode(said, PLAN)
    with pytest.raises(ValueError):
        decode(bytes([0xC7, len(body), 27]) + body, PLAN)


def test_a_zone_that_would_be_another_is_refused() -> None:
    class Mine(tz.tzoffset):  # type: ignore[misc]
        pass

    for zone in (Mine("a", 1), tz.gettz("Europe/Berlin"), tz.tzlocal()):
        with pytest.raises(everwarm.ValueRefused, match="\nhint: "):
            encode(datetime.datetime(2024, 1, 1, tzinfo=zone), PLAN)


def test_an_int_of_numpy_keeps_its_type() -> None:
    np = pytest.importorskip("numpy")
    for class_ in (np.byte, np.short, np.intc, np.long, np.longlong, np.uintc, np.ulong, np.ulonglong):
        value = class_(5)
        back = decode(encode(value, PLAN), PLAN)
        assert type(back) is class_ and back == value
    for code in ("d", "b", "", 8, "i"):
        body = encode(["<i8", code], PLAN) + b"\0" + bytes(8)
        with pytest.raises(ValueError):
            decode(bytes([0xC7, len(body), 65]) + body, PLAN)

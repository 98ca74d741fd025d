"""How a network may be made to fail."""

from datetime import timedelta

from everwarm.testing import FaultProxy
from typing_extensions import assert_type

with FaultProxy("redis://127.0.0.1:6379", seed=1) as proxy:
    assert_type(proxy.url, str)
    assert_type(proxy.address, tuple[str, int])
    proxy.delay("50ms", jitter=timedelta(milliseconds=5), way="up", chance=0.5, times=3)
    proxy.delay(0.05)
    proxy.bandwidth(1_000, way="down")
    proxy.slices()
    proxy.slices(2, apart="1ms")
    proxy.truncate(way=None)
    proxy.cut(100)
    proxy.swap(times=1)
    proxy.hang(chance=0.1)
    proxy.refuse()
    proxy.lift("refuse")
    proxy.calm()
    assert_type(proxy.count("delay"), int)
    deed = proxy.log()[0]
    assert_type(deed.after, float)
    assert_type(deed.fault, str)
    assert_type(proxy.connections + proxy.accepted, int)
FaultProxy("tcp://127.0.0.1:1").close()

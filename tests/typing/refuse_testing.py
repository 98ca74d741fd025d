"""How it may not."""

from everwarm.testing import FaultProxy

FaultProxy()  # E: call-arg / reportCallIssue
FaultProxy("redis://127.0.0.1", 1)  # E: call-arg / reportCallIssue
with FaultProxy("redis://127.0.0.1", seed="x") as proxy:  # E: arg-type / reportArgumentType
    proxy.delay()  # E: call-arg / reportCallIssue
    proxy.corrupt(way="left")  # E: arg-type / reportArgumentType
    proxy.swap(way="up")  # E: call-arg / reportCallIssue
    proxy.refuse(times=1)  # E: call-arg / reportCallIssue
    proxy.url = "x"  # E: misc / reportAttributeAccessIssue

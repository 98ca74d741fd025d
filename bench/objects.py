"""What calls to an object store cost beside boto3 alone; printed, in turns.

    eval "$(scripts/servers/up moto)"; python bench/objects.py; scripts/servers/down

moto is a stand-in of one process that takes most of the time itself: look at the difference.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import boto3
from everwarm import Cache
from everwarm.testing import open_store

ROUNDS = 3
CALLS = 30
VALUE = b"x" * 1_000


def main() -> None:
    """Print the medians of the rounds, in microseconds of wall time and of this process's processor time."""
    # Taken out of the environment: to a cache, a variable that begins so is a setting that does not exist.
    told = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("EVERWARM_TEST_")}
    endpoint, url = told["EVERWARM_TEST_MOTO"], f"{told['EVERWARM_TEST_S3']}&timeout=10s"
    store, cache = open_store(url), Cache([url], namespace="bench")
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    names = [f"bench:{n}" for n in range(100)]
    store.set_many([(name, VALUE, None) for name in names])
    client.put_object(Bucket="cache", Key="boto", Body=VALUE)
    cache.set("a", VALUE)

    def got() -> bytes:
        body: bytes = client.get_object(Bucket="cache", Key="boto")["Body"].read()
        return body

    calls: dict[str, Callable[[], object]] = {
        "boto3 get": got,
        "store get": lambda: store.get("bench:1"),
        "cache get": lambda: cache.get("a"),
        "boto3 put": lambda: client.put_object(Bucket="cache", Key="boto", Body=VALUE),
        "store set": lambda: store.set("bench:1", VALUE, None),
        "boto3 get of 100": lambda: [
            client.get_object(Bucket="cache", Key="boto")["Body"].read() for _ in names
        ],
        "store get_many of 100": lambda: store.get_many(names),
    }
    taken: dict[str, list[tuple[float, float]]] = {what: [] for what in calls}
    for _ in range(ROUNDS):
        for what, call in calls.items():
            count = 1 if "100" in what else CALLS
            call()
            began, worked = time.perf_counter(), time.process_time()
            for _ in range(count):
                call()
            spans = time.perf_counter() - began, time.process_time() - worked
            taken[what].append((spans[0] / count * 1e6, spans[1] / count * 1e6))
    for what, spans in taken.items():
        wall, worked = (statistics.median(each) for each in zip(*spans, strict=True))
        sys.stdout.write(f"{what:24} {wall:10.0f} {worked:10.0f}\n")


main()

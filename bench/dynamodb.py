"""What a get, a set and a get of a hundred from a table of DynamoDB take beside boto3, in turns.

    EVERWARM_TEST_DYNAMODB=dynamodb://… python bench/dynamodb.py

Values have 1,000 bytes. What answers in the tests is a stand-in: the times are its own and the clients'.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from everwarm.testing import open_store

TURNS = 7
COUNT = 100
VALUE = b"v" * 1_000
NAMES = [f"bench:{n}" for n in range(100)]


def boto(url: str) -> dict[str, Callable[[], Any]]:
    """Return the same as items of boto3's client, in the store's table."""
    import boto3

    parts = urlsplit(url)
    client = boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=parse_qs(parts.query)["endpoint"][0],
        aws_access_key_id=parts.username,
        aws_secret_access_key=parts.password,
    )
    table = parts.hostname or ""
    keys = [{"pk": {"S": f"boto{n % 16}"}, "sk": {"S": name}} for n, name in enumerate(NAMES)]
    for key in keys:
        client.put_item(TableName=table, Item={**key, "b": {"B": VALUE}})
    lot = {table: {"Keys": keys, "ConsistentRead": True}}
    return {
        "get": lambda: client.get_item(TableName=table, Key=keys[0], ConsistentRead=True),
        "set": lambda: client.put_item(TableName=table, Item={**keys[0], "b": {"B": VALUE}}),
        "get_many(100)": lambda: client.batch_get_item(RequestItems=lot),
    }


def ours(url: str) -> dict[str, Callable[[], Any]]:
    """Return what is measured of the store alone."""
    store = open_store(url)
    for name in NAMES:
        store.set(name, VALUE, 3_600)
    return {
        "get": lambda: store.get(NAMES[0]),
        "set": lambda: store.set(NAMES[0], VALUE, 3_600),
        "get_many(100)": lambda: store.get_many(NAMES),
    }


def micros(call: Callable[[], Any]) -> float:
    """Return what one call takes, on the average of many."""
    began = time.perf_counter()
    for _ in range(COUNT):
        call()
    return (time.perf_counter() - began) / COUNT * 1e6


def main() -> None:
    url = os.environ.pop("EVERWARM_TEST_DYNAMODB")
    clients = {"everwarm": ours(url), "boto3": boto(url)}
    least: dict[tuple[str, str], float] = {}
    for _ in range(TURNS):
        for client, calls in clients.items():
            for verb, call in calls.items():
                place = (verb, client)
                least[place] = min(least.get(place, float("inf")), micros(call))
    for (verb, client), took in sorted(least.items()):
        print(f"{verb:14} {client:10} {took:8.0f} µs")


if __name__ == "__main__":
    main()

"""Databases and services as places for tests: what is asked of each, and how a proxy stands in its way."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass

from everwarm.testing import open_store
from servers import needed

PATIENT = "timeout=5s&connect_timeout=5s"


@dataclass(frozen=True)
class Far:
    """A kind of store, and how much a test asks of it."""

    name: str
    # Of how many processes one computes, how many calls come while it is away, and how many children a busy
    # parent has; none where the file of the store has a test of forks that asks less.
    processes: int = 4
    calls: int = 20
    children: int = 0

    def __str__(self):
        return self.name

    def url(self):
        """A place of these tests' own, with the patience that a loaded machine needs."""
        number = os.getpid()
        match self.name:
            case "postgres" | "mariadb":
                return f"{needed(f'EVERWARM_TEST_{self.name.upper()}')}?table=python_{number}&{PATIENT}"
            case "mongodb":
                url = needed("EVERWARM_TEST_MONGODB")
                return f"{url}{'&' if '?' in url else '?'}collection=python_{number}&{PATIENT}"
            case "dynamodb":
                return table_at(needed("EVERWARM_TEST_DYNALITE"), "python")
            case _:
                bucket, _, options = needed("EVERWARM_TEST_S3").partition("?")
                return f"{bucket}/{uuid.uuid4().hex}?{options}&timeout=10s&connect_timeout=5s"

    def emptied(self):
        """The same, without anything in it."""
        url = self.url()
        if self.name != "s3":
            store = open_store(url)
            store.clear("")
            store.close()
        return url

    def asked(self, url):
        """What a proxy is to stand before: the URL, or the endpoint in it."""
        return url.partition("endpoint=")[2].partition("&")[0] or url

    def through(self, url, proxy):
        """The URL of the same place behind a proxy."""
        if self.name == "mongodb":
            return proxy.replace("connect_timeout=5s", "connect_timeout=1s")
        endpoint = self.asked(url)
        return proxy if endpoint == url else url.replace(endpoint, proxy)


def table_at(endpoint, table):
    """The URL of a table of these tests' own."""
    return f"dynamodb://key:geheim@{table}_{os.getpid()}?endpoint={endpoint}&make_table=true&{PATIENT}"


FAR = {
    far.name: far
    for far in (
        Far("postgres", processes=8, calls=30, children=12),
        Far("mariadb", processes=8, calls=30, children=12),
        Far("mongodb", children=8),
        Far("dynamodb"),
        Far("s3", calls=3),
    )
}

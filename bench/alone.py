"""What stores are asked by without a cache: the usual client of each, on plain keys, rows or objects.

Each is set up as its own documentation says and brings the bytes and nothing else. Who is the client of a
kind can also take out what a cache of Everwarm has made there.
"""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import takewhile
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from clients import insist_on_hiredis
from peers import LeftOut

TTL = 3_600


@dataclass(frozen=True)
class Room:
    """The server's URL, and a name that begins all that is made there, and nothing else there has in it."""

    url: str
    name: str

    @property
    def host(self) -> str:
        """Return the server's host."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Return the server's port."""
        return urlsplit(self.url).port or 0

    @property
    def is_open(self) -> bool:
        """Say whether our stores speak without TLS there: on this machine, unless the URL says more."""
        said = urlsplit(self.url).query
        return self.host in ("127.0.0.1", "::1", "localhost") and "ssl" not in said and "tls" not in said

    @property
    def plain(self) -> str:
        """Return the name of a client's plain table or collection."""
        return f"{self.name}_plain"

    @property
    def awaited(self) -> str:
        """Return that of an awaited client's."""
        return f"{self.name}_awaited"


@dataclass(frozen=True)
class Asked:
    """An open client: its calls, what its server says it is, and `close`, which takes out what is there.

    Those of an awaited client give awaitables. Without `get_many` there is no call for many.
    """

    get: Callable[[str], Any]
    set: Callable[[str, bytes], Any]
    close: Callable[[], Any]
    get_many: Callable[[Sequence[str]], Any] | None = None
    server: str = ""


@dataclass(frozen=True)
class Client:
    """One library: its name, the module it takes, what it is installed as, and what is to be said of it."""

    name: str
    module: str
    open: Callable[[Any, Room], Any]
    distribution: str = ""
    more: str = ""
    awaited: bool = False

    def opened(self, room: Room) -> Any:
        """Open it, or leave it out with the reason; what is awaited gives an awaitable."""
        try:
            library = import_module(self.module)
        except ImportError as error:
            raise LeftOut(f"cannot be imported: {error}") from error
        return self.open(library, room)

    def line(self, verb: str) -> str:
        """Return the name of one of its calls, which is no other's."""
        return f"{self.name}: {verb}"

    @property
    def version(self) -> str:
        """Return its name with its version."""
        try:
            return f"{self.name} {version(self.distribution or self.name)}"
        except PackageNotFoundError:
            return self.name


def credentials(url: str) -> dict[str, str]:
    """Return what boto3 is told of a store's URL: keys, endpoint and region."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    told = {"region_name": options.get("region", "us-east-1")}
    if "endpoint" in options:
        told["endpoint_url"] = options["endpoint"]
    if parts.username:
        told["aws_access_key_id"] = unquote(parts.username)
        told["aws_secret_access_key"] = unquote(parts.password or "")
    elif "key_env" in options:
        told["aws_access_key_id"] = os.environ[options["key_env"]]
        told["aws_secret_access_key"] = os.environ[options["secret_env"]]
    return told


def mysql(url: str) -> dict[str, Any]:
    """Return what clients of MySQL are told, where they take no URL."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port or 3306,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "autocommit": True,
    }


def _redis(library: Any, room: Room) -> Asked:
    insist_on_hiredis()
    client = library.Redis.from_url(room.url)

    def close() -> None:
        for key in client.scan_iter(match=f"*{room.name}*", count=1_000):
            client.delete(key)
        client.close()

    return Asked(
        client.get,
        lambda name, value: client.set(name, value, ex=TTL),
        close,
        client.mget,
        f"Redis {client.info('server')['redis_version']}",
    )


def memcached_keys(room: Room) -> list[str]:
    """Return all keys of a Memcached, which pymemcache cannot list."""
    with socket.create_connection((room.host, room.port)) as asked, asked.makefile("rwb") as lines:
        lines.write(b"lru_crawler metadump all\r\n")
        lines.flush()
        # The last line is `END`, or an error.
        told = iter(lines.readline, b"END\r\n")
        keys = takewhile(lambda line: line.startswith(b"key="), told)
        return [unquote(line.decode().removeprefix("key=").partition(" ")[0]) for line in keys]


def _pymemcache(library: Any, room: Room) -> Asked:
    client = library.Client((room.host, room.port))

    def close() -> None:
        for key in memcached_keys(room):
            if room.name in key:
                client.delete(key, noreply=False)
        client.close()

    return Asked(
        client.get,
        lambda name, value: client.set(name, value, expire=TTL, noreply=False),
        close,
        lambda names: list(client.get_many(names).values()),
        f"Memcached {client.version().decode()}",
    )


POSTGRES_TABLE = "CREATE TABLE {} (name text PRIMARY KEY, bytes bytea)"
POSTGRES_SET = "INSERT INTO {} VALUES ({}) ON CONFLICT (name) DO UPDATE SET bytes = EXCLUDED.bytes"
POSTGRES_MADE = """
    SELECT 'TABLE ' || oid::regclass FROM pg_class WHERE relkind = 'r' AND starts_with(relname::text, %s)
    UNION ALL SELECT 'FUNCTION ' || oid::regprocedure FROM pg_proc WHERE starts_with(proname::text, %s)
"""


def _psycopg(library: Any, room: Room) -> Asked:
    # By itself it would encrypt wherever the server can, and what is compared would not be the same.
    options = {"sslmode": "disable"} if room.is_open else {}
    connection = library.connect(room.url, autocommit=True, **options)
    cursor = connection.cursor()
    cursor.execute(POSTGRES_TABLE.format(room.plain))
    put = POSTGRES_SET.format(room.plain, "%s, %s")
    one = f"SELECT bytes FROM {room.plain} WHERE name = %s"
    many = f"SELECT name, bytes FROM {room.plain} WHERE name = ANY(%s)"

    def close() -> None:
        for (made,) in cursor.execute(POSTGRES_MADE, (room.name, room.name)).fetchall():
            cursor.execute(f"DROP {made}")
        connection.close()

    return Asked(
        lambda name: cursor.execute(one, (name,)).fetchone()[0],
        lambda name, value: cursor.execute(put, (name, value)),
        close,
        lambda names: [value for _, value in cursor.execute(many, (names,)).fetchall()],
        f"PostgreSQL {connection.info.parameter_status('server_version').split()[0]}",
    )


MYSQL_TABLE = "CREATE TABLE {} (name VARBINARY(255) PRIMARY KEY, bytes LONGBLOB)"
MYSQL_SET = "INSERT INTO {} VALUES (%s, %s) ON DUPLICATE KEY UPDATE bytes = VALUES(bytes)"
MYSQL_MADE = """
    SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND LEFT(table_name, CHAR_LENGTH(%s)) = %s
"""


def _pymysql(library: Any, room: Room) -> Asked:
    database = urlsplit(room.url).path[1:]
    # As psycopg does, it would encrypt wherever the server can.
    connection = library.connect(**mysql(room.url), database=database, ssl_disabled=room.is_open)
    cursor = connection.cursor()
    cursor.execute(MYSQL_TABLE.format(room.plain))
    put = MYSQL_SET.format(room.plain)
    one = f"SELECT bytes FROM {room.plain} WHERE name = %s"
    many = f"SELECT name, bytes FROM {room.plain} WHERE name IN %s"

    def get(name: str) -> Any:
        cursor.execute(one, (name,))
        return cursor.fetchone()[0]

    def get_many(names: Sequence[str]) -> list[bytes]:
        cursor.execute(many, (names,))
        return [value for _, value in cursor.fetchall()]

    def close() -> None:
        cursor.execute(MYSQL_MADE, (room.name, room.name))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {table}")
        connection.close()

    cursor.execute("SELECT VERSION()")
    number, _, rest = cursor.fetchone()[0].partition("-")
    server = f"{'MariaDB' if 'MariaDB' in rest else 'MySQL'} {number}"
    return Asked(get, lambda name, value: cursor.execute(put, (name, value)), close, get_many, server)


SQLITE_TABLE = "CREATE TABLE {} (name TEXT PRIMARY KEY, bytes BLOB)"
SQLITE_SET = "INSERT INTO {} VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET bytes = excluded.bytes"
# As the store has it where nothing else is said.
SQLITE_MODES = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL")


def _sqlite3(library: Any, room: Room) -> Asked:
    connection = library.connect(f"{room.url}/plain.db", isolation_level=None, timeout=60)
    for statement in (*SQLITE_MODES, SQLITE_TABLE.format(room.plain)):
        connection.execute(statement)
    put = SQLITE_SET.format(room.plain)
    one = f"SELECT bytes FROM {room.plain} WHERE name = ?"

    def get_many(names: Sequence[str]) -> list[bytes]:
        many = f"SELECT name, bytes FROM {room.plain} WHERE name IN ({', '.join('?' * len(names))})"
        return [value for _, value in connection.execute(many, names).fetchall()]

    return Asked(
        lambda name: connection.execute(one, (name,)).fetchone()[0],
        lambda name, value: connection.execute(put, (name, value)),
        connection.close,
        get_many,
    )


def _pymongo(library: Any, room: Room) -> Asked:
    client = library.MongoClient(room.url)
    database = client.get_default_database()
    plain = database[room.plain]

    def close() -> None:
        for name in (room.name, room.plain):
            database.drop_collection(name)
        client.close()

    return Asked(
        lambda name: plain.find_one({"_id": name})["b"],
        lambda name, value: plain.replace_one({"_id": name}, {"b": value}, upsert=True),
        close,
        lambda names: [found["b"] for found in plain.find({"_id": {"$in": names}})],
        f"MongoDB {client.server_info()['version']}",
    )


def _boto3_s3(library: Any, room: Room) -> Asked:
    client = library.client("s3", **credentials(room.url))
    parts = urlsplit(room.url)
    bucket, prefix = parts.hostname, f"{parts.path.strip('/')}/{room.name}".lstrip("/")

    def get(name: str) -> bytes:
        body: bytes = client.get_object(Bucket=bucket, Key=f"{prefix}/plain/{name}")["Body"].read()
        return body

    def close() -> None:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
            if lot := [{"Key": found["Key"]} for found in page.get("Contents", ())]:
                client.delete_objects(Bucket=bucket, Delete={"Objects": lot})
        client.close()

    return Asked(
        get,
        lambda name, value: client.put_object(Bucket=bucket, Key=f"{prefix}/plain/{name}", Body=value),
        close,
        lambda names: [get(name) for name in names],
    )


def _boto3_dynamodb(library: Any, room: Room) -> Asked:
    """Items in the store's own table, read consistently, as the store reads them."""
    client, table = library.client("dynamodb", **credentials(room.url)), room.name

    def key(name: str) -> dict[str, Any]:
        return {"pk": {"S": f"plain{sum(name.encode()) % 16}"}, "sk": {"S": name}}

    def get(name: str) -> Any:
        return client.get_item(TableName=table, Key=key(name), ConsistentRead=True)["Item"]["b"]["B"]

    def get_many(names: Sequence[str]) -> list[bytes]:
        lot = {table: {"Keys": [key(name) for name in names], "ConsistentRead": True}}
        found = client.batch_get_item(RequestItems=lot)["Responses"][table]
        return [item["b"]["B"] for item in found]

    def close() -> None:
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_table(TableName=table)
        client.close()

    return Asked(
        get,
        lambda name, value: client.put_item(TableName=table, Item={**key(name), "b": {"B": value}}),
        close,
        get_many,
    )


def _http_client(library: Any, room: Room) -> Asked:
    connection = library.HTTPConnection(room.host, room.port)

    def ask(method: str, name: str, **more: Any) -> bytes:
        connection.request(method, f"/v1/entries/{name}", **more)
        answer: http.client.HTTPResponse = connection.getresponse()
        body = answer.read()
        if answer.status >= 300:
            raise LeftOut(f"is answered by {answer.status}")
        return body

    return Asked(
        lambda name: ask("GET", name),
        lambda name, value: ask("PUT", name, body=value, headers={"Cache-Control": f"max-age={TTL}"}),
        connection.close,
        lambda names: [ask("GET", name) for name in names],
    )


ONE_BY_ONE = "has no call for many: its 100 are one after another"

REDIS = Client("redis-py", "redis", _redis, "redis", "parses replies by hiredis")
PYMEMCACHE = Client(
    "pymemcache",
    "pymemcache",
    _pymemcache,
    more="waits for what a set is answered, as the store does (`noreply=False`)",
)
PSYCOPG = Client("psycopg", "psycopg", _psycopg, more="prepares its statements, as it does by itself")
PYMYSQL = Client("PyMySQL", "pymysql", _pymysql)
SQLITE3 = Client("sqlite3", "sqlite3", _sqlite3, more="has one table, with WAL and `synchronous=normal`")
PYMONGO = Client("pymongo", "pymongo", _pymongo)
BOTO3_S3 = Client("boto3", "boto3", _boto3_s3, more=ONE_BY_ONE)
BOTO3_DYNAMODB = Client("boto3", "boto3", _boto3_dynamodb, more="reads consistently, as the store does")
HTTP_CLIENT = Client("http.client", "http.client", _http_client, more=ONE_BY_ONE)

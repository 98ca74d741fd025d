"""The awaited clients of stores without a cache, on keys, rows or documents of the same form."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from alone import (
    MYSQL_SET,
    MYSQL_TABLE,
    POSTGRES_SET,
    POSTGRES_TABLE,
    SQLITE_MODES,
    SQLITE_SET,
    SQLITE_TABLE,
    TTL,
    Asked,
    Client,
    Room,
    mysql,
)
from clients import insist_on_hiredis
from peers import LeftOut


async def _redis(library: Any, room: Room) -> Asked:
    insist_on_hiredis()
    client = library.Redis.from_url(room.url)
    return Asked(client.get, lambda name, value: client.set(name, value, ex=TTL), client.aclose)


async def _aiomcache(library: Any, room: Room) -> Asked:
    client = library.Client(room.host, room.port)
    return Asked(
        lambda name: client.get(name.encode()),
        lambda name, value: client.set(name.encode(), value, exptime=TTL),
        client.close,
    )


async def _asyncpg(library: Any, room: Room) -> Asked:
    options = {"ssl": "disable"} if room.is_open else {}
    connection = await library.connect(room.url, **options)
    await connection.execute(POSTGRES_TABLE.format(room.awaited))
    put = POSTGRES_SET.format(room.awaited, "$1, $2")
    one = f"SELECT bytes FROM {room.awaited} WHERE name = $1"

    async def close() -> None:
        await connection.execute(f"DROP TABLE {room.awaited}")
        await connection.close()

    return Asked(
        lambda name: connection.fetchval(one, name),
        lambda name, value: connection.execute(put, name, value),
        close,
    )


async def _asyncmy(library: Any, room: Room) -> Asked:
    connection = await library.connect(**mysql(room.url), db=urlsplit(room.url).path[1:])
    cursor = connection.cursor()
    await cursor.execute(MYSQL_TABLE.format(room.awaited))
    put = MYSQL_SET.format(room.awaited)
    one = f"SELECT bytes FROM {room.awaited} WHERE name = %s"

    async def get(name: str) -> Any:
        await cursor.execute(one, (name,))
        return (await cursor.fetchone())[0]

    async def close() -> None:
        await cursor.execute(f"DROP TABLE {room.awaited}")
        await connection.ensure_closed()

    return Asked(get, lambda name, value: cursor.execute(put, (name, value)), close)


async def _aiosqlite(library: Any, room: Room) -> Asked:
    connection = await library.connect(f"{room.url}/plain.db", isolation_level=None, timeout=60)
    for statement in (*SQLITE_MODES, SQLITE_TABLE.format(room.awaited)):
        await connection.execute(statement)
    put = SQLITE_SET.format(room.awaited)
    one = f"SELECT bytes FROM {room.awaited} WHERE name = ?"

    async def get(name: str) -> Any:
        async with connection.execute(one, (name,)) as cursor:
            return (await cursor.fetchone())[0]

    async def put_one(name: str, value: bytes) -> None:
        async with connection.execute(put, (name, value)):
            pass

    return Asked(get, put_one, connection.close)


async def _pymongo(library: Any, room: Room) -> Asked:
    client = library.AsyncMongoClient(room.url)
    plain = client.get_default_database()[room.awaited]

    async def get(name: str) -> Any:
        return (await plain.find_one({"_id": name}))["b"]

    async def close() -> None:
        await plain.drop()
        await client.close()

    return Asked(get, lambda name, value: plain.replace_one({"_id": name}, {"b": value}, upsert=True), close)


async def _httpx(library: Any, room: Room) -> Asked:
    client = library.AsyncClient(base_url=f"{room.url}/v1/entries/", trust_env=False)

    async def ask(method: str, name: str, **more: Any) -> Any:
        answer = await client.request(method, name, **more)
        if answer.status_code >= 300:
            raise LeftOut(f"is answered by {answer.status_code}")
        return answer.content

    headers = {"Cache-Control": f"max-age={TTL}"}
    return Asked(
        lambda name: ask("GET", name),
        lambda name, value: ask("PUT", name, content=value, headers=headers),
        client.aclose,
    )


REDIS = Client("redis.asyncio", "redis.asyncio", _redis, "redis", awaited=True)
AIOMCACHE = Client("aiomcache", "aiomcache", _aiomcache, awaited=True)
ASYNCPG = Client("asyncpg", "asyncpg", _asyncpg, awaited=True)
ASYNCMY = Client("asyncmy", "asyncmy", _asyncmy, awaited=True)
AIOSQLITE = Client("aiosqlite", "aiosqlite", _aiosqlite, awaited=True)
PYMONGO = Client("AsyncMongoClient", "pymongo", _pymongo, "pymongo", awaited=True)
HTTPX = Client("httpx", "httpx", _httpx, awaited=True)

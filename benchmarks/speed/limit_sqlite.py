"""The limit on SQLite: aiosqlite without SQLAlchemy, one connection that writes and some that read."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aiosqlite
import msgspec

from .entities import COLUMNS, Item, NewItem, Owner
from .environment import PRAGMAS

_GET = f"SELECT {COLUMNS} FROM items WHERE id = ?"
_GET_WITH_OWNER = (
    f"SELECT {', '.join(f'items.{column}' for column in COLUMNS.split(', '))}, username"
    " FROM items JOIN users ON users.id = items.owner_id WHERE items.id = ?"
)
_PAGE = f"SELECT {COLUMNS} FROM items ORDER BY id DESC LIMIT ?"
_CREATE = (
    "INSERT INTO items"
    " (owner_id, name, description, quantity, attributes, created_at, updated_at, version, search_text)"
    f" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, 1, ?7) RETURNING {COLUMNS}"
)
_PATCH = (
    "UPDATE items SET quantity = ?3, updated_at = ?4, version = version + 1"
    f" WHERE id = ?1 AND version = ?2 RETURNING {COLUMNS}"
)
_ADD = (
    "UPDATE items SET quantity = quantity + ?2, updated_at = ?3, version = version + 1"
    f" WHERE id = ?1 AND quantity + ?2 >= 0 RETURNING {COLUMNS}"
)


class Sqlite:
    """A statement alone is a transaction (`isolation_level=None`): its COMMIT costs no call of its own."""

    def __init__(self, url: str, size: int) -> None:
        self._path = url.partition("///")[2]
        self._size = size
        self._readers: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()
        self._writer: aiosqlite.Connection
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        self._writer = await self._connect()
        for _ in range(self._size):
            self._readers.put_nowait(await self._connect())

    async def _connect(self) -> aiosqlite.Connection:
        connection = await aiosqlite.connect(self._path, isolation_level=None)
        for pragma in PRAGMAS:
            await connection.execute(f"PRAGMA {pragma}")
        return connection

    async def close(self) -> None:
        await self._writer.close()
        while not self._readers.empty():
            await self._readers.get_nowait().close()

    async def get(self, item_id: int) -> Item | None:
        rows = await self._read(_GET, item_id)
        return _item(rows[0]) if rows else None

    async def get_with_owner(self, item_id: int) -> tuple[Item, Owner] | None:
        rows = await self._read(_GET_WITH_OWNER, item_id)
        return (_item(rows[0]), Owner(rows[0][1], rows[0][9])) if rows else None

    async def page(self, limit: int) -> list[Item]:
        return [_item(row) for row in await self._read(_PAGE, limit)]

    async def create(self, new: NewItem, owner_id: int) -> Item:
        attributes = json.dumps(new.attributes)
        values = (owner_id, new.name, new.description, new.quantity, attributes, _now(), new.search_text)
        async with self._writing:
            return _item((await self._write(_CREATE, *values))[0])

    async def patch(self, item_id: int, version: int, quantity: int) -> Item | None:
        async with self._writing:
            rows = await self._write(_PATCH, item_id, version, quantity, _now())
        return _item(rows[0]) if rows else None

    async def transfer(self, item_id: int, to: int, quantity: int) -> tuple[Item, Item] | None:
        now = _now()
        async with self._writing:
            await self._writer.execute("BEGIN IMMEDIATE")
            taken = await self._write(_ADD, item_id, -quantity, now)
            put = await self._write(_ADD, to, quantity, now)
            await self._writer.execute("COMMIT" if taken and put else "ROLLBACK")
        return (_item(taken[0]), _item(put[0])) if taken and put else None

    async def _read(self, statement: str, *values: Any) -> Sequence[Any]:
        connection = await self._readers.get()
        try:
            return list(await connection.execute_fetchall(statement, values))
        finally:
            self._readers.put_nowait(connection)

    async def _write(self, statement: str, *values: Any) -> Sequence[Any]:
        return list(await self._writer.execute_fetchall(statement, values))


def _now() -> str:
    """As SQLAlchemy stores a time."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _item(row: Any) -> Item:
    created_at, updated_at = row[6].replace(" ", "T") + "Z", row[7].replace(" ", "T") + "Z"
    attributes = msgspec.Raw(row[5].encode())
    return Item(row[0], row[1], row[2], row[3], row[4], attributes, created_at, updated_at, row[8])

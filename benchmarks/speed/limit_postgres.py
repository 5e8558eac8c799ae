"""The limit on PostgreSQL: asyncpg's own pool, which keeps statements prepared."""

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec

from .entities import COLUMNS, Item, NewItem, Owner

_GET = f"SELECT {COLUMNS} FROM items WHERE id = $1"
_GET_WITH_OWNER = (
    f"SELECT {', '.join(f'items.{column}' for column in COLUMNS.split(', '))}, username"
    " FROM items JOIN users ON users.id = items.owner_id WHERE items.id = $1"
)
_PAGE = f"SELECT {COLUMNS} FROM items ORDER BY id DESC LIMIT $1"
_CREATE = (
    "INSERT INTO items"
    " (owner_id, name, description, quantity, attributes, created_at, updated_at, version, search_text)"
    f" VALUES ($1, $2, $3, $4, $5, $6, $6, 1, $7) RETURNING {COLUMNS}"
)
_PATCH = (
    "UPDATE items SET quantity = $3, updated_at = $4, version = version + 1"
    f" WHERE id = $1 AND version = $2 RETURNING {COLUMNS}"
)
_ADD = (
    "UPDATE items SET quantity = quantity + $2, updated_at = $3, version = version + 1"
    f" WHERE id = $1 AND quantity + $2 >= 0 RETURNING {COLUMNS}"
)


class Postgres:
    def __init__(self, url: str, size: int) -> None:
        self._url = url.replace("+asyncpg", "")
        self._size = size
        self._pool: Any = None

    async def open(self) -> None:
        # Unless told otherwise the pool resets a connection that it gets back, which is a round trip to each request.
        self._pool = await asyncpg.create_pool(self._url, min_size=self._size, max_size=self._size, reset=_leave_as_is)

    async def close(self) -> None:
        await self._pool.close()

    async def get(self, item_id: int) -> Item | None:
        row = await self._pool.fetchrow(_GET, item_id)
        return None if row is None else _item(row)

    async def get_with_owner(self, item_id: int) -> tuple[Item, Owner] | None:
        row = await self._pool.fetchrow(_GET_WITH_OWNER, item_id)
        return None if row is None else (_item(row), Owner(row[1], row[9]))

    async def page(self, limit: int) -> list[Item]:
        return [_item(row) for row in await self._pool.fetch(_PAGE, limit)]

    async def create(self, new: NewItem, owner_id: int) -> Item:
        attributes = json.dumps(new.attributes)
        values = (owner_id, new.name, new.description, new.quantity, attributes, datetime.now(UTC), new.search_text)
        return _item(await self._pool.fetchrow(_CREATE, *values))

    async def patch(self, item_id: int, version: int, quantity: int) -> Item | None:
        row = await self._pool.fetchrow(_PATCH, item_id, version, quantity, datetime.now(UTC))
        return None if row is None else _item(row)

    async def transfer(self, item_id: int, to: int, quantity: int) -> tuple[Item, Item] | None:
        now = datetime.now(UTC)
        rows = {}
        async with self._pool.acquire() as connection, connection.transaction():
            # In id order, so that two of them in opposite directions do not dead-lock.
            for each, change in sorted(((item_id, -quantity), (to, quantity))):
                rows[each] = await connection.fetchrow(_ADD, each, change, now)
                if rows[each] is None:
                    raise LookupError(each)  # rolls back; a 500 is answer enough here
        return _item(rows[item_id]), _item(rows[to])


async def _leave_as_is(_: object) -> None:
    pass


def _item(row: Any) -> Item:
    return Item(row[0], row[1], row[2], row[3], row[4], msgspec.Raw(row[5].encode()), row[6], row[7], row[8])

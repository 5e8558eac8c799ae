"""The database that all servers work on: Steward's own schema, 10,000 users, 100,000 items."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import asyncpg
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings
from steward.adapters.database.operations import schema

from tests.support.filling import fill_items, fill_users
from tests.support.postgres import PostgresServer, execute
from tests.support.steward_command import steward

USERS = 10_000
ADMIN = "admin"
_WITH_MICROSECONDS = {
    "postgresql": "created_at + (1 + id % 999983) * interval '1 microsecond'",
    "sqlite": "substr(created_at, 1, 20) || printf('%06d', 1 + id % 999983)",
}
ADMIN_PASSWORD = "correct horse battery"


class BenchDatabase:
    """`process` is PostgreSQL's first; None on SQLite, which works inside the server's."""

    def __init__(self, name: str, url: str, process: int | None, items: int) -> None:
        self.name = name
        self.url = url
        self.process = process
        self.items = items

    def fill(self) -> None:
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        async with Database(self.url, pool=PoolSettings(statement=3600, wait=60)) as database:
            await schema.upgrade(database)
            made = steward(
                *(
                    "user",
                    "create",
                    "--username",
                    ADMIN,
                    "--email",
                    "admin@example.org",
                    "--role",
                    "admin",
                    "--password-stdin",
                ),
                input=f"{ADMIN_PASSWORD}\n",
                database_url=self.url,
            )
            assert made.returncode == 0, made.stderr
            await fill_users(database, USERS)
            await fill_items(database, self.items, owners=USERS)
            async with database.session() as session:
                # So that no transfer takes the last one; and times of whole seconds are what no server ever sees.
                at = _WITH_MICROSECONDS[self.name]
                await session.execute(
                    text(f"UPDATE items SET quantity = 1000000, created_at = {at}, updated_at = {at}")
                )
        if self.process is not None:
            await execute(self.url, "VACUUM FULL items", "ANALYZE", "CHECKPOINT")

    def versions(self, number: int, random: Random, *, part: int = 0, parts: int = 1) -> dict[int, int]:
        """The versions of at most `number` items, any of that part of all."""
        ids = range(1 + part, self.items + 1, parts)
        return asyncio.run(self._versions(random.sample(ids, min(number, len(ids)))))

    async def _versions(self, ids: list[int]) -> dict[int, int]:
        if self.process is None:
            with closing(sqlite3.connect(self.url.partition("///")[2])) as file:
                of_these = "SELECT id, version FROM items WHERE id IN (SELECT value FROM json_each(?))"
                found = dict(file.execute(of_these, (json.dumps(ids),)).fetchall())
        else:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""))
            found = dict(await connection.fetch("SELECT id, version FROM items WHERE id = ANY($1)", ids))
            await connection.close()
        return {each: found[each] for each in ids}


@contextmanager
def filled(name: str, items: int) -> Iterator[BenchDatabase]:
    """`name` is `postgresql` or `sqlite`. What it acknowledges is on the disk."""
    with TemporaryDirectory(prefix="steward-bench-") as folder:
        if name == "sqlite":
            database = BenchDatabase(name, f"sqlite+aiosqlite:///{Path(folder) / 'steward.db'}", None, items)
            database.fill()
            yield database
            return
        server = PostgresServer(durable=True)
        try:
            asyncio.run(execute(server.url("postgres"), "CREATE DATABASE bench"))
            process = int((server.data / "postmaster.pid").read_text().splitlines()[0])
            database = BenchDatabase(name, server.url("bench"), process, items)
            database.fill()
            yield database
        finally:
            server.stop()

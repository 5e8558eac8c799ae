"""A SQLite database copied to PostgreSQL: everything as it was stored, or nothing."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Column, Float, MetaData, Table, cast, insert, select
from sqlalchemy import Text as SqlText
from steward.adapters.database.database import Database
from steward.adapters.database.operations import copying, schema
from steward.adapters.database.operations.copying import copy_database
from steward.adapters.database.operations.stored_rows import StoredTable
from steward.adapters.database.tables import (
    attempt_counters,
    idempotency_keys,
    items,
    metadata,
    sessions,
    tokens,
    users,
)
from steward.domain.errors import DatabaseUnavailable, SchemaOutOfDate, StorageError

from tests.conftest import PATIENT

from ...conftest import Postgres
from ...support.postgres import execute
from ...support.rows import A_COUNTER, A_KEY, A_SESSION, A_TOKEN, A_USER, AN_ITEM

LATE = datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC)  # one later is what asyncpg calls infinity
EXACT = '{"z":1.10,"a":[1e400,-0.0,12345678901234567890123],"é":"🐘\\u0000","z":null}'
ROWS: dict[Table, list[dict[str, Any]]] = {
    users: [
        A_USER,
        A_USER
        | {"id": 7, "username": "Ζωή", "username_key": "ζωή", "email_key": "z@example.org", "created_at": LATE}
        | {"is_active": False, "password_hash": "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$aGFzaA", "version": 2**62},
    ],
    items: [
        AN_ITEM | {"description": None},
        AN_ITEM
        | {"id": 2**53 + 1, "owner_id": 7, "name": "🐘\\N\t", "description": "\r\n\\.\n", "quantity": 2**31 - 1},
    ],
    sessions: [A_SESSION, A_SESSION | {"id": 9, "user_id": 7, "user_agent": "curl", "address": "::1"}],
    tokens: [A_TOKEN, A_TOKEN | {"hash": bytes(range(32)), "session_id": 9, "kind": "refresh"}],
    attempt_counters: [A_COUNTER, A_COUNTER | {"key": b"\xff" * 32, "count": 0}],
    idempotency_keys: [A_KEY, A_KEY | {"key": b"\0" * 32, "user_id": 7, "answer": b"\0\xff\n"}],
}


@pytest.fixture
async def source(sqlite_url: str) -> Path:
    """With odd rows in every table."""
    path = Path(sqlite_url.partition("///")[2])
    async with Database(sqlite_url, pool=PATIENT) as database, database.session() as session:
        for table, rows in ROWS.items():
            for row in rows:
                await session.execute(insert(table), row)
    change(path, "UPDATE items SET attributes = ? WHERE id = 1", EXACT)
    return path


def change(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(statement, values)


async def copy(source: Path, target_url: str, *, migrate: bool = False, **given: Any) -> list[copying.CopiedTable]:
    given.setdefault("progress", lambda what, done, total: None)
    async with Database(target_url, pool=PATIENT) as target:
        return await copy_database(source, target, migrate=migrate, busy_timeout=0.1, **given)


async def rows_of(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows, JSON as the text that is stored."""
    found = {}
    async with Database(url, pool=PATIENT) as database, database.reader() as session:
        for table in metadata.sorted_tables:
            columns = [cast(each, SqlText) if each.name == "attributes" else each for each in table.columns]
            selected = select(*columns).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in (await session.execute(selected)).all()]
    return found


async def test_every_row_of_every_table_arrives_as_it_was_stored(source: Path, postgres_url: str) -> None:
    assert set(ROWS) == set(metadata.tables.values()), "a new table needs rows here"
    copied = await copy(source, postgres_url)
    stored = await rows_of(postgres_url)
    assert stored == await rows_of(f"sqlite+aiosqlite:///{source}")
    assert stored["items"][0][5] == EXACT
    assert {table.name: table.sum.rows for table in copied} == {name: len(rows) for name, rows in stored.items()}
    assert len({table.sum.digest for table in copied}) == len(copied)


async def test_ids_that_were_given_are_never_given_again(source: Path, postgres_url: str) -> None:
    change(source, "UPDATE sqlite_sequence SET seq = 1000 WHERE name = 'users'")  # they have been deleted since
    await copy(source, postgres_url)
    async with Database(postgres_url, pool=PATIENT) as database, database.session() as session:
        bob = A_USER | {"username_key": "bob", "email_key": "bob@example.org"}
        assert (await session.execute(insert(users).returning(users.c.id), bob)).scalar_one() == 1001
        assert (await session.execute(insert(items).returning(items.c.id), AN_ITEM)).scalar_one() == 2**53 + 2
        assert (await session.execute(insert(sessions).returning(sessions.c.id), A_SESSION)).scalar_one() == 10


async def test_what_is_written_meanwhile_is_not_copied(source: Path, postgres_url: str) -> None:
    before = await rows_of(f"sqlite+aiosqlite:///{source}")
    told = []

    def write(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        change(source, "UPDATE items SET quantity = 77")
        change(source, "UPDATE attempt_counters SET count = count + 1")

    await copy(source, postgres_url, progress=write)
    assert await rows_of(postgres_url) == before
    assert {("copy", 12, 12), ("verify", 12, 12)} <= set(told)


async def test_many_rows_are_copied_in_pieces(source: Path, postgres_url: str) -> None:
    change(
        source,
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)"
        " INSERT INTO attempt_counters SELECT randomblob(32), n, '2026-01-01 00:00:00.000000' FROM numbers",
    )
    await copy(source, postgres_url)
    assert await rows_of(postgres_url) == await rows_of(f"sqlite+aiosqlite:///{source}")


async def test_a_target_that_holds_something_is_refused_and_stays_as_it_is(source: Path, postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database, database.session() as session:
        await session.execute(insert(attempt_counters), A_COUNTER)
    before = await rows_of(postgres_url)
    with pytest.raises(StorageError, match="The target is not empty: there are rows in attempt_counters"):
        await copy(source, postgres_url)
    assert await rows_of(postgres_url) == before


async def test_a_target_without_a_schema_is_refused_or_gets_one(source: Path, postgres: Postgres) -> None:
    url = await postgres.create(empty=True)
    with pytest.raises(SchemaOutOfDate, match=r"The target is at revision none .* copy with --migrate"):
        await copy(source, url)
    async with Database(url, pool=PATIENT) as database:
        assert await schema.current_revision(database) is None
    await copy(source, url, migrate=True)
    assert await rows_of(url) == await rows_of(f"sqlite+aiosqlite:///{source}")
    await postgres.drop(url)


async def test_a_target_that_holds_something_is_not_even_migrated(source: Path, postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        await schema.downgrade(database, "0003")
    await execute(postgres_url, f"INSERT INTO attempt_counters VALUES ('{'k' * 32}', 1, now())")
    with pytest.raises(StorageError, match="not empty"):
        await copy(source, postgres_url, migrate=True)
    async with Database(postgres_url, pool=PATIENT) as database:
        assert await schema.current_revision(database) == "0003"


@pytest.mark.parametrize(
    ("statement", "error", "told"),
    [
        (
            "UPDATE alembic_version SET version_num = '0003'",
            SchemaOutOfDate,
            r"steward\.db is at revision 0003 and has",
        ),
        ("DROP TABLE alembic_version", StorageError, "does not hold a database of Steward's"),
        ("UPDATE users SET username = 'a' || char(0) || 'da' WHERE id = 7", StorageError, "id 7 has a username .* NUL"),
        ("UPDATE users SET username = CAST(x'c328c3' AS text)", StorageError, "id 1 has a username .* not UTF-8"),
        ("UPDATE users SET is_active = 'maybe' WHERE id = 7", StorageError, "id 7 has a is_active .* neither 0 nor 1"),
        ("UPDATE items SET quantity = 'many' WHERE id = 1", StorageError, "id 1 has a quantity .* not a whole number"),
        ("UPDATE items SET created_at = 'now' WHERE id = 1", StorageError, "id 1 has a created_at"),
        ("UPDATE items SET quantity = -1 WHERE id > 1", StorageError, f"id {2**53 + 1} is refused .*quantity_range"),
        ("UPDATE items SET attributes = '{oops' WHERE id > 1", StorageError, f"id {2**53 + 1} is refused .* type json"),
        ("UPDATE items SET owner_id = 77 WHERE id = 1", StorageError, "items: a row is refused .*fk_items_owner_id"),
    ],
)
async def test_what_cannot_be_copied_is_named_and_nothing_is_copied(
    source: Path, postgres_url: str, statement: str, error: type[Exception], told: str
) -> None:
    change(source, statement)
    with pytest.raises(error, match=told) as raised:
        await copy(source, postgres_url)
    assert "argon2" not in str(raised.value), "nothing of what else is in the row"
    assert not any((await rows_of(postgres_url)).values())


async def test_what_is_stored_otherwise_than_it_was_given_is_found_and_rolled_back(
    source: Path, postgres_url: str
) -> None:
    await execute(
        postgres_url,
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN NEW.name = replace(NEW.name, 'Box', 'Lid'); RETURN NEW; END $$",
        "CREATE TRIGGER meddles BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION meddle()",
    )
    with pytest.raises(StorageError, match="has stored items otherwise than it was given: 2 rows with the checksum"):
        await copy(source, postgres_url)
    assert not any((await rows_of(postgres_url)).values())


async def test_a_target_that_somebody_uses_is_refused(
    source: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_LOCK_TIMEOUT", "100ms")
    connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM users")
            with pytest.raises(StorageError, match="The target is in use: stop the server"):
                await copy(source, postgres_url)
    finally:
        await connection.close()


@pytest.mark.parametrize("when", ["copy", "verify"])
async def test_a_connection_that_is_lost_leaves_nothing(source: Path, postgres_url: str, when: str) -> None:
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )

    def lose(what: str, done: int, total: int) -> None:
        if what == when:
            with ThreadPoolExecutor() as elsewhere:  # the copy goes on when the connection has gone
                elsewhere.submit(asyncio.run, execute(postgres_url, kill)).result()

    with pytest.raises(DatabaseUnavailable, match="The connection to the database was lost: nothing was copied"):
        await copy(source, postgres_url, progress=lose)
    assert not any((await rows_of(postgres_url)).values())
    await copy(source, postgres_url)


def test_a_column_of_a_new_type_has_to_be_told_of() -> None:
    with pytest.raises(TypeError, match=r"new\.price: how Float\(\) is stored in SQLite has to be said here"):
        StoredTable(Table("new", MetaData(), Column("id", items.c.id.type, primary_key=True), Column("price", Float())))

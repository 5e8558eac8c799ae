"""Writes of a SQLite file run on the thread of the event loop only if their time is bounded by construction."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import bindparam, delete, exists, func, insert, or_, select, text, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite import insert as upsert
from steward.adapters.database.database import Database
from steward.adapters.database.drivers.sqlite import CancellationSafeConnection
from steward.adapters.database.express import inline_reads
from steward.adapters.database.express.short_writes import finds_rows_by_key
from steward.adapters.database.operations import schema
from steward.adapters.database.tables import items, users
from steward.domain.actors import Actor
from steward.service_layer.items import delete_item
from steward.service_layer.users import delete_user
from steward.testing import given_item, given_user

from tests.conftest import EXPRESS, PATIENT

SECONDS_OF_WORK = """
    CREATE TRIGGER slow AFTER INSERT ON items BEGIN
        SELECT count(*) FROM (
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000000) SELECT i FROM n
        );
    END
"""


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}", pool=PATIENT) as database:
        await schema.upgrade(database)
        yield database


@pytest.fixture
def by_thread(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The first words of the statements that the lane leaves to a thread."""
    seen: list[str] = []
    fetch = CancellationSafeConnection.fetch

    async def recorded(self: CancellationSafeConnection, sql: str, *parameters: Any) -> list[Any]:
        seen.append(sql.split(maxsplit=1)[0])
        return await fetch(self, sql, *parameters)

    monkeypatch.setattr(CancellationSafeConnection, "fetch", recorded)
    return seen


async def test_a_slow_trigger_does_not_stop_the_event_loop_and_its_cancellation_is_one(
    database: Database, tmp_path: Path
) -> None:
    """S17. The trigger comes from another process, after the lane has written to the table."""
    ada = await given_user(database)
    await given_item(database, owner=ada)
    with closing(sqlite3.connect(tmp_path / "steward.db")) as other:
        other.execute(SECONDS_OF_WORK)
    task = asyncio.create_task(given_item(database, owner=ada, name="Never"))
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not task.done(), "the event loop has waited for the trigger"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with closing(sqlite3.connect(tmp_path / "steward.db")) as other:
        assert other.execute("SELECT count(*) FROM items WHERE name = 'Never'").fetchone() == (0,)
        other.execute("DROP TRIGGER slow")
    assert (await given_item(database, owner=ada)).id


@EXPRESS
@pytest.mark.parametrize(("length", "expected"), [(100, []), (100_000, ["UPDATE"])])
async def test_a_small_write_needs_no_thread_and_a_large_one_does(
    database: Database, by_thread: list[str], length: int, expected: list[str]
) -> None:
    """Items are small by their own rules; rows of other people's tables need not be."""
    ada = await given_user(database)
    rename = update(users).where(users.c.id == bindparam("key")).values(username_key=bindparam("new"))
    uow: Any = database.unit_of_work()
    async with uow:
        written = await uow._database_transaction.execute(
            rename.returning(users.c.id), {"key": ada.id, "new": "x" * length}
        )
        assert written.scalar_one() == ada.id
    assert by_thread == expected


@EXPRESS
async def test_a_delete_that_others_refer_to_has_a_thread(database: Database, by_thread: list[str]) -> None:
    """It takes rows of other tables with it, or searches them for one that refuses it."""
    ada = await given_user(database)
    box = await given_item(database, owner=ada)
    await delete_item(database.unit_of_work(), Actor.system(), item_id=box.id)
    assert by_thread == []
    await delete_user(database.unit_of_work(), Actor.system(), user_id=ada.id)
    assert by_thread == ["DELETE"]


@EXPRESS
async def test_a_write_that_was_slow_all_the_same_has_a_thread_from_then_on(
    database: Database, by_thread: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_reads, "LONGEST", 0.0)
    ada = await given_user(database)
    await given_item(database, owner=ada)
    assert by_thread.count("INSERT") == 0
    await given_item(database, owner=ada)
    assert by_thread.count("INSERT") == 1


_by_key = items.c.id == bindparam("key")
_is_user = exists().where(users.c.id == bindparam("caller"))
_new = upsert(items).values(name="Box")


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        pytest.param(insert(items).values(name="Box"), True, id="one row"),
        pytest.param(update(items).where(_by_key).values(quantity=1), True, id="its key"),
        pytest.param(update(items).where(_by_key, items.c.quantity > 1).values(quantity=1), True, id="key and more"),
        pytest.param(delete(users).where(users.c.email_key == "a@b.example"), True, id="another unique key"),
        pytest.param(_new.on_conflict_do_update(index_elements=["id"], set_={"name": "B"}), True, id="an upsert"),
        pytest.param(insert(items).from_select(["name"], select(bindparam("name")).where(_is_user)), True, id="if key"),
        pytest.param(update(items).values(quantity=1), False, id="all rows"),
        pytest.param(update(items).where(items.c.owner_id == 1).values(quantity=1), False, id="no key"),
        pytest.param(update(items).where(items.c.id > 1).values(quantity=1), False, id="a range"),
        pytest.param(update(items).where(or_(_by_key, items.c.quantity > 1)).values(quantity=1), False, id="or"),
        pytest.param(update(items).where(items.c.id == items.c.quantity).values(quantity=1), False, id="no value"),
        pytest.param(delete(items).where(items.c.id.in_(select(items.c.id).limit(9))), False, id="keys of a query"),
        pytest.param(insert(items).from_select(["name"], select(users.c.email)), False, id="rows of a table"),
        pytest.param(
            insert(items).values(quantity=select(func.count()).select_from(users).scalar_subquery()), False, id="count"
        ),
        pytest.param(insert(items).values(quantity=text("(SELECT count(*) FROM users)")), False, id="text"),
        pytest.param(
            update(items).where(_by_key).values(quantity=users.c.version).where(users.c.role == "x"), False, id="from"
        ),
        pytest.param(
            insert(items).values(quantity=select(users.c.id).where(items.c.id == 1).scalar_subquery()),
            False,
            id="a key of another table",
        ),
    ],
)
def test_a_statement_finds_its_rows_by_key(statement: Any, expected: bool) -> None:
    sql = str(statement.compile(dialect=sqlite.dialect()))
    assert finds_rows_by_key(statement, sql) is expected, sql

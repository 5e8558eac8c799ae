"""Small reads of a SQLite file are done where they are asked for, and all others by a thread, as before."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from steward.adapters.database.database import Database
from steward.adapters.database.express import inline_reads
from steward.adapters.database.express.inline_reads import LONGEST
from steward.adapters.database.express.lane import Lane
from steward.adapters.database.operations import schema
from steward.domain.actors import Actor
from steward.domain.errors import DatabaseUnavailable
from steward.service_layer import items, lists
from steward.testing import given_item, given_user

from tests.conftest import EXPRESS, PATIENT
from tests.support.checkouts import checkouts
from tests.support.filling import fill_items, fill_users

pytestmark = EXPRESS


def inline_of(database: Database) -> inline_reads.InlineReads:
    assert isinstance(database.lane, Lane)
    assert database.lane.inline is not None
    return database.lane.inline


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}", pool=PATIENT) as database:
        await schema.upgrade(database)
        yield database


def taken_by_threads(database: Database) -> AbstractContextManager[list[None]]:
    """Grows with each reading block that a thread has to help."""
    return checkouts(database.engines.pools[1])


async def test_a_small_read_needs_no_thread_and_sees_what_is_committed(database: Database) -> None:
    box = await given_item(database, owner=await given_user(database), quantity=1)
    with taken_by_threads(database) as taken:
        for quantity in (2, 3):
            await items.update_item(database.unit_of_work(), Actor.system(), item_id=box.id, quantity=quantity)
            found = await items.get_item(database.unit_of_work(), Actor.system(), item_id=box.id)
            assert found.quantity == quantity
    assert taken == []


async def test_a_read_that_takes_its_time_is_left_to_a_thread_and_so_is_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_reads, "LONGEST", 0.0)  # how much can be read within it is up to the machine
    await fill_users(database, 10)
    await fill_items(database, 1_000, owners=10)
    with taken_by_threads(database) as taken:
        for times in (1, 2):
            page = await lists.list_items(database.unit_of_work(), Actor.system(), q="nowhere to be found")
            assert list(page) == []
            assert len(taken) == times
    assert len(inline_of(database)._limited._slow) == 1


async def test_a_small_read_that_only_had_to_wait_is_soon_tried_there_again(database: Database) -> None:
    """As on a busy machine, which interrupts a small statement, too, for longer than one may take."""

    class Waiting(sqlite3.Connection):
        def execute(self, *arguments: Any) -> sqlite3.Cursor:
            time.sleep(2 * LONGEST)
            return super().execute(*arguments)

    limited = inline_of(database)._limited
    long = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT count(*) FROM n"
    with closing(sqlite3.connect(":memory:", factory=Waiting)) as waiting:
        assert await limited.fetch(waiting, long, []) is None
    with closing(sqlite3.connect(":memory:")) as connection:
        for _ in range(100):
            if await limited.fetch(connection, long, []) is not None:
                return
    pytest.fail("it was left to a thread for a hundred times")


async def test_what_is_locked_or_fails_is_left_to_a_thread(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the patience for a lock, and the words for an error."""
    box = await given_item(database, owner=await given_user(database), quantity=1)

    def fail() -> sqlite3.Connection:
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(inline_of(database), "_connect", fail)
    inline_of(database).close()
    with taken_by_threads(database) as taken:
        assert (await items.get_item(database.unit_of_work(), Actor.system(), item_id=box.id)).quantity == 1
        assert len(taken) == 1


async def test_a_file_that_was_moved_is_not_read(database: Database, tmp_path: Path) -> None:
    box = await given_item(database, owner=await given_user(database), quantity=1)
    await items.get_item(database.unit_of_work(), Actor.system(), item_id=box.id)
    (tmp_path / "steward.db").rename(tmp_path / "elsewhere.db")
    with pytest.raises(DatabaseUnavailable, match="moved"):
        await items.get_item(database.unit_of_work(), Actor.system(), item_id=box.id)
    (tmp_path / "elsewhere.db").rename(tmp_path / "steward.db")


async def test_it_cannot_write(database: Database) -> None:
    await given_user(database)
    assert await inline_of(database).fetch("SELECT count(*) FROM users", []) == [(1,)]
    assert await inline_of(database).fetch("DELETE FROM users RETURNING id", []) is None
    assert await inline_of(database).fetch("SELECT count(*) FROM users", []) == [(1,)]


async def test_it_holds_up_no_checkpoint(database: Database, tmp_path: Path) -> None:
    await given_user(database)
    await lists.list_users(database.unit_of_work(), Actor.system())
    with closing(sqlite3.connect(tmp_path / "steward.db")) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


async def test_reads_take_turns_with_everything_else(database: Database) -> None:
    await given_user(database)
    turns: list[str] = []

    async def read() -> None:
        for _ in range(3):
            async with database.unit_of_work().reading() as uow:
                await uow.users.is_empty()
            turns.append("read")

    async def other() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            turns.append("other")

    await asyncio.gather(read(), other())
    assert turns[:3].count("other") > 0, "nobody else had a turn while it was reading"


async def test_a_closed_database_is_not_opened_by_it(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}", pool=PATIENT)
    await schema.upgrade(database)
    inline = inline_of(database)
    await database.aclose()
    assert inline is not None
    assert await inline.fetch("SELECT 1", []) is None

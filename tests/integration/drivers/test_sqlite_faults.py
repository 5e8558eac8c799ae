"""What the Python API says of a SQLite file whose disk is full, that another process holds, that is damaged or gone."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.adapters.unit_of_work.transaction import TransactionMode
from steward.domain.actors import Actor
from steward.domain.errors import (
    DatabaseLocked,
    DatabaseUnavailable,
    OutcomeUnknown,
    StewardError,
    StorageFull,
    TransactionAborted,
)
from steward.domain.items import Item
from steward.domain.users import User
from steward.service_layer import items
from steward.service_layer.retry import run
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import given_item, given_user

from tests.conftest import PATIENT
from tests.support.small_disk import read_only, small_disk


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(sqlite_url.partition("///")[2])


@pytest_asyncio.fixture
async def open_database(sqlite_url: str) -> AsyncIterator[Database]:
    async with Database(sqlite_url, pool=replace(PATIENT, busy=0.05)) as database:
        yield database
        assert database.checked_out() == 0, "a connection was left checked out"


@pytest_asyncio.fixture
async def ada(open_database: Database) -> User:
    return await given_user(open_database)


def rows_in(file: Path) -> int:
    with closing(sqlite3.connect(file)) as other:
        [(count,)] = other.execute("SELECT count(*) FROM items")
        return int(count)


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


# A full disk, which makes SQLite end the whole transaction in the middle of a statement, savepoints and all, as soon as
# more is written than it holds in memory


async def test_a_full_disk_inside_a_savepoint_loses_the_whole_unit_and_nothing_is_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=5) as disk:
        async with Database(url_of(disk.path / "steward.db"), pool=PATIENT) as database:
            await schema.upgrade(database)
            ada = await given_user(database)
            disk.fill()
            with pytest.raises(TransactionAborted):
                async with database.unit_of_work() as uow:
                    await items.create_item(uow, Actor.of(ada), name="Before")
                    with suppress(StewardError):
                        async with uow.savepoint():
                            await add_more_than_memory_holds(uow, Actor.of(ada))
                    disk.make_room()
                    await items.create_item(uow, Actor.of(ada), name="After")
                    await uow.commit()
            assert rows_in(disk.path / "steward.db") == 0
            await given_item(database, owner=ada)


async def test_a_full_disk_inside_a_savepoint_of_a_plain_session_stores_nothing_either(tmp_path: Path) -> None:
    insert = text("INSERT INTO notes VALUES (:text)")
    with small_disk(tmp_path / "disk", megabytes=5) as disk:
        async with Database(url_of(disk.path / "notes.db"), pool=PATIENT) as database:
            async with database.session() as session:
                await session.execute(text("CREATE TABLE notes (text)"))
            disk.fill()
            with pytest.raises(TransactionAborted):
                async with database.session() as session:
                    await session.execute(insert, {"text": "before"})
                    with suppress(OperationalError):
                        async with session.begin_nested():
                            await session.execute(insert, [{"text": "x" * 10_000}] * 400)
                    disk.make_room()
                    await session.execute(insert, {"text": "after"})
            async with database.session() as session:
                assert (await session.execute(text("SELECT count(*) FROM notes"))).scalar_one() == 0


async def add_more_than_memory_holds(uow: UnitOfWork, actor: Actor) -> None:
    with pytest.raises(StorageFull):
        for number in range(400):
            await items.create_item(uow, actor, name=f"Box {number}", description="x" * 10_000)
    raise StorageFull


# Another process


async def test_a_unit_that_finds_the_file_locked_is_run_again(open_database: Database, ada: User, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = asyncio.Event()

        async def add(uow: UnitOfWork, actor: Actor) -> Item:
            try:
                return await items.create_item(uow, actor, name="Box", quantity=1)
            except DatabaseLocked:
                refused.set()
                raise

        adding = asyncio.create_task(run(open_database.unit_of_work(), add, Actor.of(ada)))
        await refused.wait()
        other.execute("ROLLBACK")
        assert (await adding).name == "Box"


async def test_a_lock_that_lasts_says_whose_it_is(open_database: Database, ada: User, file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseLocked, match="by another process"):
            await given_item(open_database, owner=ada)
        async with open_database.unit_of_work().reading() as uow:
            assert await uow.users.get(ada.id) == ada
    await given_item(open_database, owner=ada)


async def test_to_look_at_a_file_ends_no_lock_of_those_who_have_it_open(
    open_database: Database, ada: User, file: Path, sqlite_url: str
) -> None:
    """POSIX ends every lock of a process on a file when any descriptor of it is closed."""
    async with Database(sqlite_url, pool=PATIENT) as second:
        await schema.require_newest(second)
    taking_it_all = "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE"
    alone = f"import sqlite3; sqlite3.connect({str(file)!r}, timeout=0).executescript({taking_it_all!r})"
    command = [sys.executable, "-c", alone]
    other = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert "database is locked" in other.stderr


async def test_those_who_make_the_same_new_file_at_once_see_it_whole(tmp_path: Path) -> None:
    async def make() -> None:
        async with Database(url_of(tmp_path / "new.db"), pool=PATIENT) as database:
            assert await schema.current_revision(database) is None

    await asyncio.gather(*(make() for _ in range(8)))
    # Two that close at the same moment may both leave the log to the other.
    assert {path.name for path in tmp_path.iterdir()} - {"new.db-wal", "new.db-shm"} == {"new.db"}


# Read only


async def test_a_file_that_could_not_be_written_is_written_as_soon_as_it_can_be(file: Path, sqlite_url: str) -> None:
    async with Database(sqlite_url, pool=PATIENT) as database:
        with read_only(file):
            for _ in range(2):
                with pytest.raises(DatabaseUnavailable, match="can be read, but not written"):
                    await given_user(database, username="ada")
                with pytest.raises(OperationalError):
                    async with database.session() as session:
                        await session.execute(text("DELETE FROM users"))
            async with database.unit_of_work().reading() as uow:
                assert await uow.users.page(limit=1) == []
        await given_user(database, username="bob")
        async with database.session() as session:
            await session.execute(text("DELETE FROM users"))
        assert database.checked_out() == 0


# A file that is not where it was


async def test_a_file_that_goes_before_the_commit_refuses_it_and_nothing_is_stored(
    open_database: Database, ada: User, file: Path
) -> None:
    away = file.with_suffix(".away")
    with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced"):
        async with open_database.unit_of_work() as uow:
            await items.create_item(uow, Actor.of(ada), name="Box")
            file.rename(away)
            await uow.commit()
    away.rename(file)
    assert rows_in(file) == 0
    await given_item(open_database, owner=ada)
    assert rows_in(file) == 1


async def test_a_plain_session_is_refused_its_commit_alike(open_database: Database, ada: User, file: Path) -> None:
    away = file.with_suffix(".away")
    with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced"):
        async with open_database.session() as session:
            await session.execute(text("DELETE FROM users"))
            file.rename(away)
    away.rename(file)
    async with open_database.unit_of_work().reading() as uow:
        assert await uow.users.get(ada.id) == ada


async def test_a_file_that_goes_during_the_commit_makes_its_outcome_unknown(
    open_database: Database, ada: User, file: Path
) -> None:
    def move(statement: str) -> None:
        if statement == "COMMIT":
            file.rename(file.with_suffix(".away"))

    async with open_database.engines.engine(TransactionMode.WRITING).connect() as connection:
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver._connection.set_trace_callback(move)
    with pytest.raises(OutcomeUnknown, match="moved, deleted or replaced"):
        async with open_database.unit_of_work() as uow:
            await items.create_item(uow, Actor.of(ada), name="Box")
            await uow.commit()


async def test_no_connection_is_made_to_another_file_in_its_place(
    open_database: Database, ada: User, file: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.db"
    async with Database(url_of(other), pool=PATIENT) as database:
        await schema.upgrade(database)
    async with open_database.reader() as session:
        await session.execute(text("SELECT 1"))
    other.replace(file)
    before = file.read_bytes()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced"):
            await given_item(open_database, owner=ada)
        with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced"):
            async with open_database.reader() as session:
                await session.execute(text("SELECT 1"))
    assert file.read_bytes() == before


async def test_a_file_that_was_deleted_is_not_made_anew(open_database: Database, ada: User, file: Path) -> None:
    file.unlink()
    with pytest.raises(DatabaseUnavailable, match="moved, deleted or replaced"):
        await given_item(open_database, owner=ada)
    assert not file.exists()


# Damage


async def test_text_that_nobody_can_have_stored_is_damage_and_no_bug(
    open_database: Database, ada: User, file: Path
) -> None:
    item = await given_item(open_database, owner=ada)
    with closing(sqlite3.connect(file)) as other:
        other.execute("UPDATE items SET name = CAST(x'4142ff' AS TEXT)")
        other.commit()
    with pytest.raises(DatabaseUnavailable, match="damaged"):
        async with open_database.unit_of_work().reading() as uow:
            await uow.items.get(item.id)

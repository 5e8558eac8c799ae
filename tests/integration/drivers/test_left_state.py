"""What a statement leaves on its connection is not there for the next user of the pool (finding S12)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import func, literal, make_url, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncSession
from steward.adapters.database.database import Database

from tests.conftest import PATIENT
from tests.support.notes import Note, add_note, create_tables
from tests.support.wire_counter import WireCounter

Leave = Callable[[AsyncSession], Awaitable[Any]]
STATE = """
    SELECT current_setting('search_path') || coalesce(current_setting('app.tenant', true), '')
        || current_setting('work_mem')
        || current_setting('default_transaction_read_only') || current_setting('statement_timeout')
        || current_setting('TimeZone') || current_user || session_user
        || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
        || (SELECT count(*) FROM pg_listening_channels())
        || (SELECT count(*) FROM pg_cursors WHERE is_holdable)
        || (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema())
"""


def sending(*statements: str) -> Leave:
    async def send(session: AsyncSession) -> None:
        for statement in statements:
            await session.execute(text(statement))

    return send


async def by_construct(session: AsyncSession) -> None:
    await session.execute(select(func.set_config("app.tenant", literal("ada"), literal(False))))


async def by_function(session: AsyncSession) -> None:
    await session.execute(select(func.enter_tenant("ada")))


async def by_driver(session: AsyncSession) -> None:
    connection = await (await session.connection()).get_raw_connection()
    driver: Any = connection.driver_connection
    await driver.execute("SET app.tenant = 'ada'")


LEAVING: dict[str, Leave] = {
    "search_path": sending("SET search_path TO pg_catalog"),
    "setting": sending("SET app.tenant = 'ada'", "SET work_mem = '5MB'", "SET TimeZone = 'Asia/Tokyo'"),
    "read only": sending("SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE"),
    "in a comment": sending("SELECT set_config/* */('app.tenant', 'ada', false)"),
    "temporary table": sending("CREATE TEMPORARY TABLE mine (id INT)"),
    "select into": sending("SELECT 1 AS id INTO TEMP mine"),
    "advisory lock": sending("SELECT pg_advisory_lock(1)"),
    "listen": sending("LISTEN mine"),
    "cursor": sending("DECLARE mine CURSOR WITH HOLD FOR SELECT 1"),
    "role": sending("SET ROLE pg_read_all_data"),
    "session authorization": sending("SET SESSION AUTHORIZATION pg_read_all_data"),
    "construct": by_construct,
    "function": by_function,
    "driver": by_driver,
}


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.session() as session:
        yield session


@asynccontextmanager
async def reader(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.reader() as session:
        yield session


@asynccontextmanager
async def unit(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.unit_of_work() as uow:
        yield uow.session
        await uow.commit()


@asynccontextmanager
async def reading_unit(database: Database) -> AsyncIterator[AsyncSession]:
    async with database.unit_of_work().reading() as uow:
        yield uow.session


@asynccontextmanager
async def failing(database: Database) -> AsyncIterator[AsyncSession]:
    with pytest.raises(ProgrammingError):
        async with database.session() as session:
            yield session
            await session.commit()
            await session.execute(text("SELECT * FROM nowhere"))


@pytest_asyncio.fixture(params=["file", "memory"])
async def sqlite_notes(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    path = tmp_path / "notes.db" if request.param == "file" else ":memory:"
    async with Database(f"sqlite+aiosqlite:///{path}") as database:
        await create_tables(database)
        async with database.session() as session:
            await add_note(session, "kept")
        yield database


@pytest_asyncio.fixture
async def counted(empty_postgres_url: str) -> AsyncIterator[tuple[Database, WireCounter]]:
    url = make_url(empty_postgres_url)
    async with (
        WireCounter(url.host or "", url.port or 0) as counter,
        Database(url.set(port=counter.port).render_as_string(hide_password=False)) as database,
    ):
        await create_tables(database)
        yield database, counter


@pytest_asyncio.fixture
async def one_connection(empty_postgres_url: str) -> AsyncIterator[Database]:
    async with Database(empty_postgres_url, pool=replace(PATIENT, size=1)) as database:
        await create_tables(database)
        async with database.session() as session:
            await session.execute(
                text(
                    "CREATE OR REPLACE FUNCTION enter_tenant(name TEXT) RETURNS VOID LANGUAGE sql "
                    "AS $$ SELECT set_config('app.tenant', name, false) $$"
                )
            )
        yield database


async def state(database: Database) -> tuple[Any, Any]:
    async with database.reader() as reader:
        return await reader.scalar(text("SELECT pg_backend_pid()")), await reader.scalar(text(STATE))


@pytest.mark.parametrize(
    ("open_block", "leave"),
    [
        *((open_block, leave) for leave in LEAVING.values() for open_block in (session, unit)),
        *((open_block, by_construct) for open_block in (reader, reading_unit, failing)),
    ],
)
async def test_nothing_is_left_for_the_next_user(one_connection: Database, open_block: Any, leave: Leave) -> None:
    before = await state(one_connection)

    async with open_block(one_connection) as session:
        await leave(session)

    assert await state(one_connection) == before  # also the process: the connection was reset, and not dropped


@pytest.mark.parametrize("open_block", [session, unit])
@pytest.mark.parametrize(
    ("statements", "left"),
    [
        (["PRAGMA recursive_triggers = ON"], "PRAGMA recursive_triggers"),
        (["CREATE TEMP TABLE mine (id INT)"], "SELECT count(*) FROM temp.sqlite_master"),
        (["ATTACH ':memory:' AS mine"], "SELECT count(*) FROM pragma_database_list WHERE name = 'mine'"),
    ],
)
async def test_nothing_is_left_on_sqlite(
    sqlite_notes: Database, open_block: Any, statements: list[str], left: str
) -> None:
    async def value() -> Any:
        async with sqlite_notes.session() as session:
            return await session.scalar(text(left))

    before = await value()
    async with open_block(sqlite_notes) as session:
        for statement in statements:
            await session.execute(text(statement))

    assert await value() == before
    async with sqlite_notes.reader() as reader:
        assert (await reader.scalars(select(Note.text))).all() == ["kept"]  # in memory, too


@pytest.mark.parametrize("open_block", [session, unit])
async def test_ordinary_statements_cost_no_reset(counted: tuple[Database, WireCounter], open_block: Any) -> None:
    """Statements of the ORM, of SQL, with functions that change nothing."""
    database, counter = counted

    async def work(text_of: str) -> None:
        async with open_block(database) as session:
            note = await add_note(session, text_of)
            session.add_all([Note(text=f"{text_of} {number}") for number in range(2)])
            async with session.begin_nested():
                await session.execute(update(Note).where(Note.id == note.id).values(text=func.upper(Note.text)))
            await session.execute(select(func.count(), func.max(Note.id)).where(Note.text.in_(["a", "b"])))
            await session.execute(text("SELECT id FROM notes WHERE lower(text) = 'a' AND (id > 1 OR id IN (2, 3))"))
            await session.delete(note)

    await work("first")
    counter.reset()
    await work("second")
    assert not [each for each in counter.sql if "RESET" in each]

    async with open_block(database) as session:
        await session.execute(text("SET work_mem = '5MB'"))
    assert [each for each in counter.sql if "RESET" in each]

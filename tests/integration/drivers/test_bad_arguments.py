"""An argument that the driver refuses is an error for its caller, and nothing for the next user of the connection."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import BigInteger, LargeBinary, bindparam, column, func, insert, literal, select, text, true
from steward.adapters.database.database import Database
from steward.adapters.database.engines import PoolSettings
from steward.adapters.database.tables import items, users
from steward.domain.items import ItemId
from steward.testing.contract.steps import register

from tests.support.sqlite_files import copy_into_memory

NOW = datetime.now(UTC)
BY_ID = select(users.c.username).where(users.c.id == bindparam("id"))
BY_NAME = select(users.c.id).where(users.c.username == bindparam("name"))
BY_TIME = select(users.c.id).where(users.c.created_at == bindparam("at"))
BY_FLAG = select(users.c.id).where(users.c.is_active == bindparam("flag"))
# Statement and parameters that the driver, or SQLAlchemy before it, cannot send.
BAD: dict[str, tuple[Any, Any]] = {
    "a text for an integer": (BY_ID, {"id": "one"}),
    "a float for an integer": (BY_ID, {"id": 1.5}),
    "an integer beyond 64 bits": (BY_ID, {"id": 2**70}),
    "an integer below 64 bits": (BY_ID, {"id": -(2**70)}),
    "a list for an integer": (BY_ID, {"id": [1]}),
    "an object for an integer": (BY_ID, {"id": object()}),
    "bytes for an integer": (BY_ID, {"id": b"1"}),
    "a date for an integer": (BY_ID, {"id": NOW}),
    "an integer for a text": (BY_NAME, {"name": 1}),
    "bytes for a text": (BY_NAME, {"name": b"ada"}),
    "an object for a text": (BY_NAME, {"name": object()}),
    "a lone surrogate": (BY_NAME, {"name": "\ud800"}),
    "a NUL": (BY_NAME, {"name": "a\x00b"}),
    "a text for a time": (BY_TIME, {"at": "yesterday"}),
    "a time without a zone": (BY_TIME, {"at": datetime(2026, 1, 1)}),  # noqa: DTZ001
    "a text for a flag": (BY_FLAG, {"flag": "maybe"}),
    "a parameter that is missing": (BY_ID, {}),
    "more parameters than there can be": (
        select(users.c.id).where(users.c.id.in_(bindparam("ids", expanding=True))),
        {"ids": list(range(40_000))},
    ),
    "an attribute that is no JSON": (
        insert(items).returning(items.c.id),
        {"owner_id": 1, "name": "x", "attributes": {"x": object()}},
    ),
    "two rows, one of them bad": (text("SELECT :id + 1"), [{"id": 1}, {"id": "one"}]),
    "a parameter in the text": (text("SELECT CAST(:id AS BIGINT)"), {"id": object()}),
    "a literal that cannot be": (select(literal(2**70, BigInteger) + users.c.id), {}),
    "a text for bytes": (select(func.length(bindparam("raw", type_=LargeBinary))), {"raw": "text"}),
    "a column that is not there": (select(column("nonsense")).select_from(users).where(true()), {}),
}


@pytest_asyncio.fixture
async def database(database_url: str, sqlite_template: Any) -> AsyncIterator[Database]:
    """With one connection for all."""
    async with Database(database_url, pool=PoolSettings(size=1, wait=60)) as database:
        if database_url.endswith(":memory:"):
            copy_into_memory(sqlite_template, database)
        yield database
        assert database.checked_out() == 0


async def _by_reader(database: Database, statement: Any, parameters: Any) -> None:
    async with database.reader() as session:
        await session.execute(statement, parameters)


async def _by_session(database: Database, statement: Any, parameters: Any) -> None:
    async with database.session() as session:
        await session.execute(statement, parameters)


async def _by_unit(database: Database, statement: Any, parameters: Any) -> None:
    async with database.unit_of_work() as uow:
        await uow._database_transaction.execute(statement, parameters)


async def _by_reading_unit(database: Database, statement: Any, parameters: Any) -> None:
    async with database.unit_of_work().reading() as uow:
        await uow._database_transaction.execute(statement, parameters)


async def _by_session_of_unit(database: Database, statement: Any, parameters: Any) -> None:
    async with database.unit_of_work() as uow:
        await uow.session.execute(statement, parameters)


async def _by_session_of_reading_unit(database: Database, statement: Any, parameters: Any) -> None:
    async with database.unit_of_work().reading() as uow:
        await uow.session.execute(statement, parameters)


async def _by_snapshot(database: Database, statement: Any, parameters: Any) -> None:
    async with database.unit_of_work().reading(snapshot=True) as uow:
        await uow.session.execute(statement, parameters)


USERS = [
    _by_reader,
    _by_session,
    _by_unit,
    _by_reading_unit,
    _by_session_of_unit,
    _by_session_of_reading_unit,
    _by_snapshot,
]
User = Callable[[Database, Any, Any], Awaitable[None]]


@pytest.mark.parametrize("user", USERS)
async def test_after_an_argument_that_cannot_be_sent_everybody_else_goes_on(database: Database, user: User) -> None:
    failed = 0
    for number, (name, (statement, parameters)) in enumerate(BAD.items()):
        try:
            await user(database, statement, parameters)
        except Exception:
            failed += 1
        written = await register(database.unit_of_work(), f"writer{number}")
        async with database.unit_of_work() as uow, uow.savepoint():
            assert (await uow.users.get(written.id)).username == f"writer{number}", name
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
    assert failed > len(BAD) / 2


async def test_a_page_beyond_every_bound_harms_nobody(database: Database) -> None:
    await register(database.unit_of_work(), "ada")
    with pytest.raises(Exception):  # noqa: B017
        async with database.unit_of_work().reading() as uow:
            await uow.items.page(limit=2**70)
    with pytest.raises(Exception):  # noqa: B017
        async with database.unit_of_work().reading() as uow:
            await uow.items.get(ItemId("one"))  # type: ignore[arg-type]
    await register(database.unit_of_work(), "bob")

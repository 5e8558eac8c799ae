"""Items that were there before they could be searched are found afterwards, and keep their ids to themselves."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import bindparam, text
from steward.adapters.database.column_types import UtcDateTime
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.domain.filters import ItemFilter, search_text
from steward.domain.items import NewItem
from steward.domain.users import UserId

from tests.conftest import PATIENT, Postgres

ROWS = int(os.environ.get("STEWARD_TEST_ITEMS", "2501"))  # more than two batches
TEXTS = ["Box", "STRASSE ß", "Cafe\u0301 ﬁ", "İı Σς", "📦" * 200]
NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest_asyncio.fixture
async def empty_postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create(empty=True)
    yield url
    await postgres.drop(url)


@pytest.fixture
def empty_url(server_backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if server_backend == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
    return str(request.getfixturevalue("empty_postgres_url"))


@pytest_asyncio.fixture
async def before(empty_url: str) -> AsyncIterator[Database]:
    """A database of the revision before, with items."""
    async with Database(empty_url, pool=PATIENT) as database:
        await schema.upgrade(database, "0003")
        await insert_rows(database)
        yield database


async def insert_rows(database: Database) -> None:
    user = text(
        "INSERT INTO users (username, username_key, email, email_key, role, is_active, created_at, updated_at, version)"
        " VALUES ('ada', 'ada', 'a@b', 'a@b', 'member', true, :now, :now, 1)"
    ).bindparams(bindparam("now", type_=UtcDateTime()))
    item = text(
        "INSERT INTO items (owner_id, name, description, quantity, attributes, created_at, updated_at, version)"
        " VALUES (1, :name, :description, 1, '{}', :now, :now, 1)"
    ).bindparams(bindparam("now", type_=UtcDateTime()))
    async with database.session() as session:
        await session.execute(user, {"now": NOW})
        for start in range(0, ROWS, 1_000):
            await session.execute(
                item,
                [
                    {"name": TEXTS[n % 5], "description": [None, "", f"{n}\n{TEXTS[n % 3]}"][n % 3], "now": NOW}
                    for n in range(start, min(start + 1_000, ROWS))
                ],
            )


async def test_every_item_is_found_after_the_upgrade_as_if_it_had_been_added_then(before: Database) -> None:
    await schema.upgrade(before)
    async with before.reader() as session:
        stored = (await session.execute(text("SELECT name, description, search_text FROM items"))).all()
    assert len(stored) == ROWS
    for name, description, found in stored:
        assert found == search_text(NewItem.of(owner_id=UserId(1), name=name, description=description))
    async with before.unit_of_work().reading() as uow:
        assert await uow.items.count(ItemFilter(q="strasse SS")) == len([n for n in range(ROWS) if n % 5 == 1])
        assert await uow.items.count(ItemFilter(q="CAFÉ FI")) > 0


async def test_an_id_is_given_once_also_when_the_schema_was_changed_in_between(before: Database) -> None:
    async with before.session() as session:
        await session.execute(text("DELETE FROM items WHERE id = :id"), {"id": ROWS})
    await schema.upgrade(before)
    await schema.downgrade(before, "0003")
    await schema.upgrade(before)
    async with before.unit_of_work() as uow:
        [added] = await uow.items.add_many([NewItem.of(owner_id=UserId(1), name="Lid")], at=uow.now)
        assert added == ROWS + 1

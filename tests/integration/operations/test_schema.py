"""The schema itself: the migrations make exactly the tables, and the database refuses what the domain refuses."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import Connection, insert, inspect, select, text
from sqlalchemy.exc import StatementError
from steward.adapters.database.database import Database
from steward.adapters.database.tables import items, metadata, users
from steward.domain.errors import DatabaseUnavailable

from tests.conftest import PATIENT, Postgres
from tests.support.given import given_item, given_user
from tests.support.rows import A_USER, NOW

# Everything about a PostgreSQL table that Alembic's comparison does not look at, or looks at generously.
POSTGRES_DETAILS = (
    "SELECT table_name, ordinal_position, column_name, data_type, collation_name, is_nullable, column_default,"
    " is_identity, identity_generation FROM information_schema.columns WHERE table_schema = 'public'"
    " AND table_name <> 'alembic_version' ORDER BY 1, 2",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    " AND tablename <> 'alembic_version' ORDER BY 1, 2",
)


_SQL = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :table")


def reflected(connection: Connection) -> list[object]:
    """All that can be read back of our tables, in a backend that can be compared."""
    if connection.dialect.name == "postgresql":
        return [[tuple(row) for row in connection.execute(text(query))] for query in POSTGRES_DETAILS]
    inspector = inspect(connection)
    return [
        (
            table,
            [{**column, "type": str(column["type"])} for column in inspector.get_columns(table)],
            inspector.get_pk_constraint(table),
            sorted(inspector.get_check_constraints(table), key=str),
            sorted(inspector.get_unique_constraints(table), key=str),
            sorted(inspector.get_foreign_keys(table), key=str),
            sorted(inspector.get_indexes(table), key=str),
            "AUTOINCREMENT" in connection.execute(_SQL, {"table": table}).scalar_one(),
        )
        for table in sorted(set(inspector.get_table_names()) - {"alembic_version"})
    ]


async def read_back(database: Database) -> list[object]:
    async with database.engines.pools[0].connect() as connection:
        return await connection.run_sync(reflected)


@pytest_asyncio.fixture
async def empty_postgres_url(postgres: Postgres) -> AsyncIterator[str]:
    url = await postgres.create(empty=True)
    yield url
    await postgres.drop(url)


@pytest.fixture
def created_url(database_backend: str, request: pytest.FixtureRequest) -> str:
    if database_backend == "postgres":
        return str(request.getfixturevalue("empty_postgres_url"))
    return "sqlite+aiosqlite:///:memory:"


@pytest_asyncio.fixture
async def created(created_url: str) -> AsyncIterator[Database]:
    """A database whose tables come from `metadata.create_all`, without any migration."""
    async with Database(created_url, pool=PATIENT) as database:
        async with database.engines.pools[0].begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield database


async def test_the_migrations_make_exactly_the_tables(database: Database, created: Database) -> None:
    there = await read_back(database)
    assert there == await read_back(created)
    assert len(there) >= 2


async def test_every_constraint_and_index_has_the_name_of_our_convention(database: Database) -> None:
    def names(connection: Connection) -> set[str]:
        inspector = inspect(connection)
        return {
            str(found["name"])
            for table in metadata.tables
            for found in (
                inspector.get_pk_constraint(table),
                *inspector.get_check_constraints(table),
                *inspector.get_unique_constraints(table),
                *inspector.get_foreign_keys(table),
                *inspector.get_indexes(table),
            )
        }

    async with database.engines.pools[0].connect() as connection:
        found = await connection.run_sync(names)
    ours = {str(constraint.name) for table in metadata.tables.values() for constraint in table.constraints}
    ours |= {str(index.name) for table in metadata.tables.values() for index in table.indexes}
    if database.dialect == "sqlite":  # where the key is the row's own number, and no constraint that has a name
        found = found - {"None"} | {"pk_users", "pk_items", "pk_sessions"}
    assert found == ours
    tables = "|".join(metadata.tables)
    assert [
        name for name in found if not re.fullmatch(rf"(pk_({tables})|(ck|uq|fk|ix)_({tables})_[a-z_]+)", name)
    ] == []
    assert [name for name in found if re.search(r"(pk|ck|uq|fk|ix)_\w*(pk|ck|uq|fk|ix)_", name)] == []


async def test_text_sorts_by_code_point(database: Database) -> None:
    names = ["Zoe", "ada", "Ada", "ärger", "a-b", "a_b", "ab", "éa", "z", "Ω", "я", "\uff21bc", "🐘"]
    owner = await given_user(database, "owner")
    for name in names:
        await given_item(database, owner, name=name)
    async with database.reader() as session:
        assert list(await session.scalars(select(items.c.name).order_by(items.c.name))) == sorted(names)


async def test_the_server_would_sort_otherwise(postgres_url: str) -> None:
    """Else the test above would pass on PostgreSQL without our collation."""
    async with Database(postgres_url, pool=PATIENT) as database, database.reader() as session:
        query = text("SELECT datlocprovider, 'ada' < 'Zoe' FROM pg_database WHERE datname = current_database()")
        provider, as_people_do = (await session.execute(query)).one()
    assert as_people_do or provider in ("c", b"c"), "a build with ICU, and yet the tests' server has no locale of it"


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="without a zone"):
        async with database.session() as session:
            await session.execute(insert(users).values(A_USER | {"created_at": NOW.replace(tzinfo=None)}))


async def test_a_time_of_another_zone_comes_back_as_the_same_moment_in_utc(database: Database) -> None:
    async with database.session() as session:
        elsewhere = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
        await session.execute(insert(users).values(A_USER | {"created_at": elsewhere}))
        stored = (await session.execute(select(users.c.created_at))).scalar_one()
    assert (stored, stored.tzinfo) == (NOW, UTC)


def test_a_database_file_whose_folder_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailable, match="The folder of the database file cannot be made"):
        Database(f"sqlite+aiosqlite:///{tmp_path / 'file' / 'below' / 'steward.db'}", pool=PATIENT)

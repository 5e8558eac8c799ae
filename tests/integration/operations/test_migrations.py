"""The history of the schema: every step up and down with rows in it, and what the steps add up to."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, bindparam, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from steward.adapters.database.column_types import UtcDateTime
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.adapters.database.tables import items, metadata
from steward.adapters.migrations.comparing import comparison
from steward.domain.errors import DatabaseUnavailable, InvalidValue, SchemaOutOfDate

from tests.conftest import PATIENT, Postgres
from tests.support.given import every_item, given_item, given_user
from tests.support.notes import ENDLESS

ROOT = Path(__file__).parents[3]
REVISIONS = [script.revision for script in ScriptDirectory(str(ROOT / "src/adapters/migrations")).walk_revisions()][
    ::-1
]
NOW = datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)
_NOW = bindparam("now", NOW, UtcDateTime())


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
async def empty(empty_url: str) -> AsyncIterator[Database]:
    async with Database(empty_url, pool=PATIENT) as database:
        yield database


async def insert_rows(database: Database) -> None:
    """As the first revision knows them."""
    async with database.session() as session:
        await session.execute(
            text(
                "INSERT INTO users (username, username_key, email, email_key, role, is_active, created_at, updated_at,"
                " version) VALUES ('ada', 'ada', 'a@b', 'a@b', 'member', true, :now, :now, 1)"
            ).bindparams(_NOW)
        )
        await session.execute(
            text(
                "INSERT INTO items (owner_id, name, quantity, attributes, created_at, updated_at, version)"
                " SELECT id, 'Box', 1, '{}', :now, :now, 1 FROM users"
            ).bindparams(_NOW)
        )


async def rows(database: Database) -> tuple[int, int]:
    async with database.reader() as session:
        counted = await session.execute(text("SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM items)"))
        user_count, item_count = counted.one()
        return user_count, item_count


async def test_every_step_can_be_taken_back_and_again_with_rows_in_it(empty: Database) -> None:
    below = "base"
    for revision in REVISIONS:
        await schema.upgrade(empty, revision)
        if below == "base":
            await insert_rows(empty)
        else:
            assert await rows(empty) == (1, 1)
            await schema.downgrade(empty, below)
            assert await rows(empty) == (1, 1)
            await schema.upgrade(empty, revision)
        below = revision
    assert await rows(empty) == (1, 1)
    await schema.downgrade(empty, "base")
    assert await schema.current_revision(empty) is None
    assert await _tables(empty) == {"alembic_version"}
    await schema.upgrade(empty)
    await insert_rows(empty)
    assert await rows(empty) == (1, 1)


async def test_upgrading_twice_is_upgrading_once(empty: Database) -> None:
    assert await schema.current_revision(empty) is None
    await schema.upgrade(empty)
    await insert_rows(empty)
    await schema.upgrade(empty)
    assert await schema.current_revision(empty) == schema.newest_revision() == REVISIONS[-1]
    assert await rows(empty) == (1, 1)
    await schema.require_newest(empty)


async def test_servers_that_start_at_once_migrate_once(empty: Database, empty_url: str) -> None:
    code = (
        "import asyncio, sys\n"
        "from steward.adapters.database.operations import schema\n"
        "from steward.adapters.database.database import Database\n"
        "from steward.adapters.database.engines import PoolSettings\n"
        "async def main():\n"
        "    async with Database(sys.argv[1], pool=PoolSettings(connect=60, statement=60, busy=60)) as database:\n"
        "        sys.stdin.readline()\n"
        "        await schema.upgrade(database)\n"
        "asyncio.run(main())\n"
    )
    servers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, empty_url, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    async with asyncio.timeout(120):
        said = await asyncio.gather(*(server.communicate(b"go\n") for server in servers))
    assert [server.returncode for server in servers] == [0, 0], said
    await schema.require_newest(empty)


async def test_databases_of_one_process_are_migrated_at_the_same_time_without_mixing() -> None:
    databases = [Database("sqlite+aiosqlite:///:memory:", pool=PATIENT) for _ in range(3)]
    await asyncio.gather(*(schema.upgrade(database) for database in databases))
    for database in databases:
        await schema.require_newest(database)
        await given_user(database, "ada")
        await database.aclose()


async def test_the_tables_say_what_the_migrations_do(empty: Database) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts=comparison(connection.dialect.name))
        return list(compare_metadata(context, metadata))

    await schema.upgrade(empty)
    async with empty.engines.pools[0].connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_without_a_schema_is_told_what_mends_it(empty: Database) -> None:
    with pytest.raises(SchemaOutOfDate, match=f"at revision none and has to be at {REVISIONS[-1]}.*steward db upgrade"):
        await schema.require_newest(empty)
    with pytest.raises(SchemaOutOfDate, match="steward db upgrade"):
        await every_item(empty)


async def test_a_schema_from_the_future_is_left_alone(empty: Database) -> None:
    await schema.upgrade(empty)
    async with empty.session() as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'future'"))
    for attempt in (schema.require_newest(empty), schema.upgrade(empty), schema.downgrade(empty, "base")):
        with pytest.raises(SchemaOutOfDate, match="revision future, which this version of Steward does not know"):
            await attempt
    assert await schema.current_revision(empty) == "future"
    assert await _tables(empty) == {"alembic_version", *metadata.tables}


async def test_an_unknown_target_is_the_callers_mistake(empty: Database) -> None:
    for attempt in (schema.upgrade(empty, "nonsense"), schema.downgrade(empty, "nonsense")):
        with pytest.raises(InvalidValue, match="nonsense"):
            await attempt


@pytest.mark.parametrize("wrong", [{"database": "no_such_database"}, {"username": "nobody"}])
async def test_a_database_that_cannot_be_reached_is_unavailable(postgres_url: str, wrong: dict[str, str]) -> None:
    url = make_url(postgres_url).set(**wrong).render_as_string(hide_password=False)  # type: ignore[arg-type]
    async with Database(url, pool=PATIENT) as database:
        with pytest.raises(DatabaseUnavailable):
            await schema.current_revision(database)
        with pytest.raises(DatabaseUnavailable):
            await every_item(database)


async def test_a_migration_that_fails_leaves_nothing_behind(empty: Database) -> None:
    await schema.upgrade(empty)
    await insert_rows(empty)
    with pytest.raises(RuntimeError, match="midway"):
        async with schema.migrating(empty) as connection:
            await connection.execute(text("DROP TABLE items"))
            await connection.execute(text("CREATE TABLE half (id INTEGER)"))
            raise RuntimeError("midway")
    assert await _tables(empty) == {"alembic_version", *metadata.tables}
    assert await rows(empty) == (1, 1)


async def test_foreign_keys_are_on_again_after_a_migration(database: Database) -> None:
    await schema.downgrade(database, "base")
    await schema.upgrade(database)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            async with database.session() as session:
                await session.execute(
                    items.insert().values(
                        owner_id=7, name="Box", quantity=1, attributes={}, created_at=NOW, updated_at=NOW, version=1
                    )
                )


async def test_a_copied_table_keeps_the_rows_that_refer_to_it(sqlite_url: str) -> None:
    """Alembic's batch mode drops the old table: with foreign keys on that would fail, or take the items along."""

    def copy_users(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection, opts={"target_metadata": metadata}))
        with operations.batch_alter_table("users", recreate="always"):
            pass

    async with Database(sqlite_url, pool=PATIENT) as database:
        box = await given_item(database, await given_user(database, "ada"))
        async with schema.migrating(database) as connection:
            await connection.run_sync(copy_users)
        assert await every_item(database) == [box]


async def test_a_migration_that_orphans_rows_is_taken_back(sqlite_url: str) -> None:
    async with Database(sqlite_url, pool=PATIENT) as database:
        box = await given_item(database, await given_user(database, "ada"))
        with pytest.raises(RuntimeError, match="1 rows without what they refer to"):
            async with schema.migrating(database) as connection:
                await connection.execute(text("DELETE FROM users"))
        assert await every_item(database) == [box]
        assert (await given_user(database, "bob")).id == 2


async def test_a_slow_migration_is_not_interrupted_as_everyday_statements_are(sqlite_url: str) -> None:
    slow = text("WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n LIMIT 300000) SELECT max(i) FROM n")
    async with Database(sqlite_url, pool=replace(PATIENT, statement=0.01)) as database:
        async with schema.migrating(database) as connection:
            assert await connection.scalar(slow) == 300_000
        with pytest.raises(DBAPIError, match="interrupted"):
            async with database.session() as session:
                await session.execute(ENDLESS["sqlite"])


async def test_the_alembic_command_makes_and_runs_a_new_revision(server_url: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "steward", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def alembic(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "alembic", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path), "STEWARD_DATABASE_URL": server_url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert f"{REVISIONS[-1]} (head)" in await asyncio.to_thread(alembic, "current")
    await asyncio.to_thread(alembic, "revision", "--autogenerate", "--rev-id", "next", "-m", "Nothing new")
    (made,) = (tmp_path / "steward/adapters/migrations/versions").glob("next_*.py")
    source = made.read_text()
    assert f"Revises: {REVISIONS[-1]}" in source
    assert source.count("    pass\n") == 2, "there is nothing that the tables know and the migrations do not"
    compile(source, str(made), "exec")
    await asyncio.to_thread(alembic, "upgrade", "head")
    async with Database(server_url, pool=PATIENT) as database:
        assert await schema.current_revision(database) == "next"
        assert await rows(database) == (0, 0)


async def _tables(database: Database) -> set[str]:
    async with database.engines.pools[0].connect() as connection:
        return set(await connection.run_sync(lambda sync: inspect(sync).get_table_names()))

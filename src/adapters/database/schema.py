"""The schema of a database: which revision it is at, and how it is brought to another."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ...domain.errors import SchemaOutOfDate
from ..completion import run_to_completion
from .database import Database
from .error_translation import translate

_MIGRATIONS = Path(__file__).parent.parent / "migrations"


def newest_revision() -> str:
    revision = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    assert revision is not None
    return revision


async def current_revision(database: Database) -> str | None:
    """None for a database without our tables. Raises a `StorageError` if it cannot be reached."""
    async with _connection(database) as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def require_newest(database: Database) -> None:
    """Raises `SchemaOutOfDate`, which says what mends it."""
    current, newest = await current_revision(database), newest_revision()
    if current == newest:
        return
    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaOutOfDate(f"The schema is at revision {current}, which this version of Steward does not know")
    raise SchemaOutOfDate(
        f"The schema is at revision {current or 'none'} and has to be at {newest}: run `steward db upgrade`"
    )


async def upgrade(database: Database, revision: str = "head") -> None:
    await run_to_completion(_migrate(database, command.upgrade, revision))


async def downgrade(database: Database, revision: str) -> None:
    await run_to_completion(_migrate(database, command.downgrade, revision))


async def _migrate(database: Database, change: Callable[[Config, str], None], revision: str) -> None:
    def work(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        change(config, revision)

    async with _connection(database) as connection:
        if database.dialect == "sqlite":
            # Alembic changes a SQLite table by copying and dropping it; with foreign keys on, the drop would take
            # the rows of other tables that refer to it along. The switch is ignored inside a transaction.
            await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            await connection.exec_driver_sql("PRAGMA query_only = OFF")
            await connection.commit()
            try:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                await connection.run_sync(work)
                broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).all()
                if broken:
                    raise RuntimeError(f"The migration left {len(broken)} rows without what they refer to")
                await connection.commit()
            finally:
                await connection.rollback()
                await connection.exec_driver_sql("PRAGMA foreign_keys = ON")
                await connection.commit()
        else:
            # Two servers that start at once must not both migrate.
            await connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('steward migrations'))"))
            await connection.run_sync(work)
            await connection.commit()


@asynccontextmanager
async def _connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection without the timeouts of everyday statements, and without a BEGIN of ours."""
    arguments: dict[str, Any] = {"timeout": database.pool_settings.connect}
    engine = (
        database.engines.pools[0]
        if database.dialect == "sqlite"
        else create_async_engine(database.url, poolclass=NullPool, connect_args=arguments)
    )
    try:
        async with engine.connect() as connection:
            yield connection
    except Exception as error:
        translated = translate(error)
        if translated is None or translated is error:
            raise
        raise translated from error
    finally:
        if engine is not database.engines.pools[0]:
            await engine.dispose()

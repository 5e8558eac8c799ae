"""The schema of a database: which revision it is at, and how it is brought to another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from weakref import WeakKeyDictionary

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from ....domain.errors import InvalidValue, SchemaOutOfDate
from ...unit_of_work.completion import run_to_completion
from ..database import Database
from ..drivers import postgres
from ..drivers.sqlite import CancellationSafeConnection
from ..error_translation import translating

_MIGRATIONS = Path(__file__).parents[2] / "migrations"
_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


def newest_revision() -> str:
    revision = _scripts().get_current_head()
    assert revision is not None
    return revision


async def current_revision(database: Database) -> str | None:
    """None for a database without our tables. Raises a `StorageError` if it cannot be reached."""
    async with _connection(database) as connection:
        return await connection.run_sync(_revision)


async def require_newest(database: Database) -> None:
    """Raises `SchemaOutOfDate`, which says what mends it."""
    current, newest = await current_revision(database), newest_revision()
    if current == newest:
        return
    require_known(current)
    raise SchemaOutOfDate(
        f"The schema is at revision {current or 'none'} and has to be at {newest}: run `steward db upgrade`"
    )


async def require_writable(database: Database) -> None:
    """On a SQLite file. Raises a `StorageError`, also for one that another process keeps locked."""
    async with _connection(database) as connection:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        # To BEGIN alone a file that can only be read is good enough.
        await connection.exec_driver_sql("DELETE FROM users WHERE false")
        await connection.rollback()


async def upgrade(database: Database, revision: str = "head") -> None:
    """All of it or nothing. Raises `SchemaOutOfDate` if the schema is newer than we know, `InvalidValue` for an
    unknown `revision`, and a `StorageError`."""
    await run_to_completion(_migrate(database, command.upgrade, revision))


async def downgrade(database: Database, revision: str) -> None:
    """As `upgrade`, the other way; `base` takes everything away."""
    await run_to_completion(_migrate(database, command.downgrade, revision))


async def _migrate(database: Database, change: Callable[[Config, str], None], revision: str) -> None:
    def work(connection: Connection) -> None:
        require_known(_revision(connection))
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        config.attributes["connection"] = connection
        try:
            change(config, revision)
        except CommandError as error:
            raise InvalidValue("revision", "unknown_revision", str(error)) from error

    async with _one_at_a_time(), migrating(database) as connection:
        await connection.run_sync(work)


def _one_at_a_time() -> asyncio.Lock:
    """Alembic keeps its context in globals: two migrations that take turns at each `await` would mix."""
    return _locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


@asynccontextmanager
async def migrating(database: Database) -> AsyncIterator[AsyncConnection]:
    """The one transaction in which a schema is changed, committed at the end of the block."""
    async with _connection(database) as connection:
        if database.dialect == "sqlite":
            # Alembic changes a SQLite table by copying and dropping it; with foreign keys on, the drop would take
            # the rows of other tables that refer to it along. The switch is ignored inside a transaction.
            await connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            await connection.exec_driver_sql("PRAGMA query_only = OFF")
            await connection.commit()
            try:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
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
            yield connection
            await connection.commit()


@asynccontextmanager
async def _connection(database: Database) -> AsyncIterator[AsyncConnection]:
    """A connection without the timeouts of everyday statements, and without a BEGIN of ours."""
    if database.dialect == "sqlite":
        if (file := database.engines.file) is not None:
            await asyncio.to_thread(file.refuse_foreign)
        engine = database.engines.pools[0]
    else:
        pool = database.pool_settings
        connect = postgres.driver_arguments(connect_timeout=pool.connect, pooler=pool.pooler)
        engine = create_async_engine(database.url, poolclass=NullPool, connect_args=connect)
    try:
        with translating():
            async with engine.connect() as connection:
                driver = (await connection.get_raw_connection()).driver_connection
                with driver.unhurried() if isinstance(driver, CancellationSafeConnection) else nullcontext():
                    yield connection
    finally:
        if engine not in database.engines.pools:
            await engine.dispose()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(_MIGRATIONS))


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def require_known(revision: str | None) -> None:
    known = {script.revision for script in _scripts().walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaOutOfDate(
            f"The schema is at revision {revision}, which this version of Steward does not know: "
            "install the version that made it, or a newer one"
        )

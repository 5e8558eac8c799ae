"""A SQLite database copied to an empty PostgreSQL database: all of it, as it was at one moment, or nothing.

What was written is read back before it is committed, and compared with what was read.
"""

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from ....domain.errors import DatabaseUnavailable, OutcomeUnknown, SchemaOutOfDate, StorageError
from ..database import Database
from ..drivers.connector import Connector
from ..tables import metadata
from . import schema
from .sqlite_snapshot import fix_snapshot, open_file, revision_of, sqlite_may_fail
from .stored_rows import Row, StoredTable, Sum, Summing

Progress = Callable[[str, int, int], None]  # `copy` or `verify`, the rows that are done, and all of them

_LOCK_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True)
class CopiedTable:
    name: str
    sum: Sum


async def copy_database(
    source: Path, target: Database, *, migrate: bool, busy_timeout: float, progress: Progress
) -> list[CopiedTable]:
    """What was copied, table by table. `busy_timeout` is in seconds.

    Both have to be at the newest revision; `migrate` brings `target` there. Raises `StorageError` with a sentence for
    a file that cannot be read, a target that is not empty, and a row that PostgreSQL cannot hold or has stored
    otherwise, `SchemaOutOfDate`, `DatabaseUnavailable`, and `OutcomeUnknown` for a connection lost during COMMIT.
    """
    tables = [StoredTable(table) for table in metadata.sorted_tables]  # what others refer to comes first
    with sqlite_may_fail(source), closing(_open(source, busy_timeout)) as rows:
        # In a transaction also this: a pooler could give each half of a statement to another connection.
        async with _connected(target) as connection, connection.transaction(readonly=True):
            await _require_empty(connection, tables)
        if migrate:
            await schema.upgrade(target)
        elif (revision := await schema.current_revision(target)) != (newest := schema.newest_revision()):
            raise SchemaOutOfDate(
                f"The target is at revision {revision or 'none'} and has to be at {newest}: copy with --migrate"
            )
        async with _connected(target) as connection, _transaction(connection):
            await _lock(connection, tables)
            await _require_empty(connection, tables)
            return await _copy(rows, connection, tables, progress)


def _open(source: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = open_file(source, busy_timeout)
    try:
        connection.execute("PRAGMA journal_mode = WAL")  # as the server has it: nobody waits for who reads
        fix_snapshot(connection)
        if (revision := revision_of(connection, source)) != (newest := schema.newest_revision()):
            raise SchemaOutOfDate(
                f"{source} is at revision {revision} and has to be at {newest}: name it in"
                " STEWARD_DATABASE_URL and run `steward db upgrade`"
            )
        connection.text_factory = bytes
    except BaseException:
        connection.close()
        raise
    return connection


@asynccontextmanager
async def _connected(target: Database) -> AsyncIterator[asyncpg.Connection]:
    """Its own, for the copy of a table takes longer than a statement of the pool may."""
    try:
        connection = await Connector(target.pool_settings.connect)(**_arguments(target))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable("The database cannot be reached") from error
    try:
        with _postgres_may_fail():
            yield connection
    finally:
        # At once, whatever it is doing: what has not been committed is rolled back.
        connection.terminate()


def _arguments(target: Database) -> dict[str, Any]:
    """What SQLAlchemy would call asyncpg with, so that a URL means the same here."""
    _, arguments = target.engines.pools[0].dialect.create_connect_args(target.url)
    for name in ("prepared_statement_cache_size", "prepared_statement_name_func", "async_creator_fn"):
        arguments.pop(name, None)
    return {**arguments, "statement_cache_size": 0}  # PgBouncer knows no prepared statements


@asynccontextmanager
async def _transaction(connection: asyncpg.Connection) -> AsyncIterator[None]:
    transaction = connection.transaction()
    await transaction.start()
    yield  # who is left by an error closes the connection
    try:
        await transaction.commit()
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncio.CancelledError) as error:
        # Of a deadline or of Ctrl+C, too: that nothing was copied would be a guess.
        raise OutcomeUnknown("COMMIT was not answered: the target holds all of it, or it is still empty") from error


async def _lock(connection: asyncpg.Connection, tables: list[StoredTable]) -> None:
    """Nobody else reads or writes until the end: a server that starts would make its first admin."""
    await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
    await connection.execute("SET LOCAL statement_timeout = 0")
    await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    try:
        await connection.execute(f"LOCK TABLE {', '.join(table.name for table in tables)} IN ACCESS EXCLUSIVE MODE")
    except asyncpg.LockNotAvailableError as error:
        raise StorageError("The target is in use: stop the server that runs on it") from error


async def _require_empty(connection: asyncpg.Connection, tables: list[StoredTable]) -> None:
    for table in tables:
        is_there = await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", table.name)
        if is_there and await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table.name})"):  # noqa: S608 - ours
            raise StorageError(f"The target is not empty: there are rows in {table.name}")


async def _copy(
    source: sqlite3.Connection, target: asyncpg.Connection, tables: list[StoredTable], progress: Progress
) -> list[CopiedTable]:
    total = sum(table.count_in_sqlite(source) for table in tables)
    copied: list[CopiedTable] = []
    for table in tables:
        done = sum(each.sum.rows for each in copied)
        read = await _write(table, source, target, progress, done, total)
        copied.append(CopiedTable(table.name, read))
    done = 0
    for table, given in zip(tables, copied, strict=True):
        stored = Summing()
        async for piece in table.pieces_in_postgres(target):
            stored.add(piece)
            progress("verify", done + stored.rows, total)
        done += stored.rows
        _compare(given, stored.sum())
    for table in tables:
        if table.identity is not None and (highest := table.highest_id_in_sqlite(source)):
            # Not by setval, which no rollback takes back.
            await target.execute(f"ALTER TABLE {table.name} ALTER COLUMN {table.identity} RESTART WITH {highest + 1}")
    await target.execute("ANALYZE " + ", ".join(table.name for table in tables))  # or plans were those of empty tables
    return copied


async def _write(
    table: StoredTable,
    source: sqlite3.Connection,
    target: asyncpg.Connection,
    progress: Progress,
    done: int,
    total: int,
) -> Sum:
    read = Summing()

    async def rows() -> AsyncIterator[Row]:
        for piece in table.pieces_in_sqlite(source):
            read.add(piece)
            progress("copy", done + read.rows, total)
            for row in piece:
                yield row

    try:
        await target.copy_records_to_table(table.name, records=rows(), columns=table.columns)
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        # Not its detail, nor the rest of its context, which show what is in the row.
        line = re.search(r"^COPY \w+, line (\d+)", getattr(error, "context", None) or "", re.MULTILINE)
        where = f"{table.row_at(source, int(line[1]))} is" if line else f"{table.name}: a row is"
        raise StorageError(f"{where} refused by PostgreSQL: {str(error).splitlines()[0]}") from error
    return read.sum()


def _compare(given: CopiedTable, stored: Sum) -> None:
    if given.sum != stored:
        raise StorageError(
            f"PostgreSQL has stored {given.name} otherwise than it was given: {stored.rows} rows with the checksum"
            f" {stored.digest} instead of {given.sum.rows} with {given.sum.digest}; nothing was copied"
        )


@contextmanager
def _postgres_may_fail() -> Iterator[None]:
    try:
        yield
    except (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
        raise DatabaseUnavailable("The connection to the database was lost: nothing was copied") from error
    except asyncpg.PostgresError as error:
        raise StorageError(f"PostgreSQL says no: {error}; nothing was copied") from error

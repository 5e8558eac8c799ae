"""The statements of a reading block, straight to the driver.

SQLAlchemy makes the SQL, once, and keeps the connections. What it does for each execution beyond that, transactions
that begin by themselves, cursors, results that know their columns by name, a reading block has no use for, and would
cost a small read two thirds of its time. Blocks that write go the whole way: the guards that hang on it
(`failed_statements`) are theirs.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import asyncpg
from sqlalchemy import Executable, PoolProxiedConnection
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler

from .lost_connections import is_lost

_STATEMENTS = 2_000
_ATTEMPTS = 10

Convert = Callable[[Any], Any] | None


class ReadStatement:
    """The SQL of a statement, and how its parameters and rows are converted, by SQLAlchemy's own types."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        assert not compiled.post_compile_params, "its SQL depends on the values of its parameters"
        self.sql = str(compiled)
        self._parameters: list[tuple[str, Any, Convert]] = [
            (
                name,
                None if compiled.binds[name].required else compiled.binds[name].effective_value,
                compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect),
            )
            for name in compiled.positiontup or ()
        ]
        columns = statement.selected_columns  # type: ignore[attr-defined]
        converts = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
        self._converts = [(place, convert) for place, convert in enumerate(converts) if convert is not None]

    def arguments(self, parameters: Mapping[str, Any]) -> Iterator[Any]:
        for name, default, convert in self._parameters:
            value = parameters.get(name, default)
            yield value if convert is None else convert(value)

    def rows(self, records: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        if not self._converts:
            return list(records)
        return [self._converted(record) for record in records]

    def _converted(self, record: Sequence[Any]) -> list[Any]:
        row = list(record)
        for place, convert in self._converts:
            row[place] = convert(row[place])
        return row


ReadStatements = Callable[[Executable], ReadStatement]


def read_statements(engine: AsyncEngine) -> ReadStatements:
    """Makes each once. As many are kept as there are shapes of pages (`Pages`), and those that are always the same."""

    @lru_cache(maxsize=_STATEMENTS)
    def of(statement: Executable) -> ReadStatement:
        return ReadStatement(statement, engine.dialect)

    return of


class Rows:
    """What was read, as SQLAlchemy's `Result` gives it to those who read it whole."""

    def __init__(self, rows: list[Sequence[Any]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return iter(self._rows)

    def all(self) -> list[Sequence[Any]]:
        return self._rows

    def one_or_none(self) -> Sequence[Any] | None:
        assert len(self._rows) <= 1, "more rows than there can be"
        return self._rows[0] if self._rows else None

    def scalar_one(self) -> Any:
        (row,) = self._rows
        return row[0]


class DirectReads:
    """Of one reading block after the other, each on one connection of the pool: taken by the first statement, given
    back by `end`. Outside a transaction, so each statement sees its own snapshot."""

    def __init__(self, engine: Callable[[], AsyncEngine], statements: ReadStatements) -> None:
        self._engine = engine
        self._statements = statements
        self._connection: PoolProxiedConnection | None = None

    async def fetch(self, statement: Executable, parameters: Mapping[str, Any]) -> Rows:
        """Raises what the driver raises, and what SQLAlchemy raises when it connects."""
        if self._connection is None:
            self._connection = await self._engine().raw_connection()
        read = self._statements(statement)
        driver: Any = self._connection.driver_connection
        try:
            records = await _fetch_again_if_refused(driver, read.sql, *read.arguments(parameters))
        except BaseException as error:
            self._drop_if_broken(driver, error)
            raise
        return Rows(read.rows(records))

    def end(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # outside a transaction: there is nothing to wait for

    def abort(self) -> None:
        """Let go of a connection that does not answer; on SQLite there is none."""
        if self._connection is not None and isinstance(self._connection.driver_connection, asyncpg.Connection):
            asyncpg.Connection.terminate(self._connection.driver_connection)

    def _drop_if_broken(self, driver: Any, error: BaseException) -> None:
        """A connection to PostgreSQL that was cancelled is in the middle of a statement; with one that is lost all that
        are as old are lost."""
        connection = self._connection
        if connection is None or not isinstance(driver, asyncpg.Connection):
            return  # SQLite's has run the statement to its end, or is closed
        if is_lost(error) or driver.is_closed():
            self._engine().pool._invalidate(connection, error)  # noqa: SLF001 - as SQLAlchemy does
        elif isinstance(error, asyncio.CancelledError) or not isinstance(error, Exception):
            connection.invalidate(error)
        if not connection.is_valid:
            self._connection = None


async def _fetch_again_if_refused(driver: Any, sql: str, *arguments: Any) -> Sequence[Sequence[Any]]:
    """A server that makes everything serializable may refuse a read for what writers have done (40001). Whoever reads
    holds a block open, so `run` cannot begin again. But the statement stands alone, and those writers have ended."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return await driver.fetch(sql, *arguments)  # type: ignore[no-any-return]
        except asyncpg.SerializationError:
            continue
    return await driver.fetch(sql, *arguments)  # type: ignore[no-any-return]

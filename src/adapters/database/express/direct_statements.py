"""Statements that go straight to the driver.

SQLAlchemy makes the SQL, once, converts values as its types say, keeps the connections, and begins and ends
transactions. What it does for each execution beyond that, a context, a cursor, a result that knows its columns by name,
the repositories have no use for, and it would cost a small statement most of its time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

from sqlalchemy import Connection, Executable
from sqlalchemy.engine import Dialect, IteratorResult, Result
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.sql.compiler import SQLCompiler

from .short_writes import finds_rows_by_key

_STATEMENTS = 2_000

Convert = Callable[[Any], Any]


class DirectStatement:
    """The SQL of a statement, and how its parameters and rows are converted, by SQLAlchemy's own types."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        columns: Any = getattr(statement, "exported_columns", None)  # what it selects, or returns
        # Not one whose SQL depends on the values of its parameters, and none without rows: SQLAlchemy alone tells how
        # many it has changed.
        self._is_direct = isinstance(compiled, SQLCompiler) and not compiled.post_compile_params and bool(columns)
        if not self._is_direct:
            return
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self.names = list(columns.keys())
        self.writes = compiled.isinsert or compiled.isupdate or compiled.isdelete
        if self.writes:
            self.finds_rows_by_key = finds_rows_by_key(statement, self.sql)
            self.table: str = statement.table.name.lower()  # type: ignore[attr-defined]
            self.deletes = compiled.isdelete or "OR REPLACE" in self.sql
        binds = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
        # Those that are not given with each execution stand in the statement.
        self._parameters = [(name, bind.required, bind.effective_value) for name, bind in binds]
        self._required = {name for name, bind in binds if bind.required}
        self._binds = _converts([bind.type.dialect_impl(dialect).bind_processor(dialect) for _, bind in binds])
        self._results = _converts([each.type.dialect_impl(dialect).result_processor(dialect, None) for each in columns])

    def takes(self, parameters: Mapping[str, Any]) -> bool:
        """Whether it can go to the driver with these. An INSERT without `values` takes what columns it is given."""
        return self._is_direct and self._required <= parameters.keys()

    def arguments(self, parameters: Mapping[str, Any]) -> list[Any]:
        values = [parameters[name] if is_given else value for name, is_given, value in self._parameters]
        for place, convert in self._binds:
            values[place] = convert(values[place])
        return values

    def rows(self, records: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
        if not self._results:
            return list(records)
        rows = [list(record) for record in records]
        for place, convert in self._results:
            for row in rows:
                row[place] = convert(row[place])
        return rows


def _converts(of_each: Sequence[Convert | None]) -> list[tuple[int, Convert]]:
    return [(place, convert) for place, convert in enumerate(of_each) if convert is not None]


DirectStatements = Callable[[Executable], DirectStatement]


def direct_statements(engine: AsyncEngine) -> DirectStatements:
    """Makes each once. As many are kept as there are shapes of pages (`Pages`), and those that are always the same."""

    @lru_cache(maxsize=_STATEMENTS)
    def of(statement: Executable) -> DirectStatement:
        return DirectStatement(statement, engine.dialect)

    return of


class Rows:
    """The rows of a statement, read whole; each has its values in the order of the columns.

    It has the methods that repositories use most. All others, and what those raise, are of SQLAlchemy's `Result`.
    """

    def __init__(self, rows: Sequence[Sequence[Any]], names: Sequence[str]) -> None:
        self._rows = rows
        self._names = names

    def __getattr__(self, name: str) -> Any:
        return getattr(self._result, name)

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return iter(self._rows)

    def all(self) -> Sequence[Sequence[Any]]:
        return self._rows

    def one_or_none(self) -> Any:
        if len(self._rows) > 1:
            return self._result.one_or_none()
        return self._rows[0] if self._rows else None

    def scalar_one(self) -> Any:
        return self._rows[0][0] if len(self._rows) == 1 else self._result.scalar_one()

    def scalar_one_or_none(self) -> Any:
        row = self.one_or_none()
        return None if row is None else row[0]

    @property
    def _result(self) -> Result[Any]:
        return IteratorResult(SimpleResultMetaData(self._names), iter([tuple(row) for row in self._rows]))


def report_error(connection: Connection, sql: str, error: BaseException) -> NoReturn:
    """Inside a greenlet of SQLAlchemy's: let it know of an error as if it had run the statement itself. It drops the
    connection if need be, reports the failure (`connection_events`), and raises what it always raises.
    """
    adapter: Any = connection.connection.dbapi_connection
    try:
        if isinstance(error, Exception):
            adapter._handle_exception(error)  # noqa: SLF001 - raises it in the words of the DBAPI
        raise error
    except BaseException as in_its_words:
        # With the SQL it would wrap what is no error of the database's, too.
        told = sql if isinstance(in_its_words, connection.dialect.loaded_dbapi.Error) else None
        connection._handle_dbapi_exception(in_its_words, told, None, None, None)  # noqa: SLF001

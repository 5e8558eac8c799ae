"""What a connection tells the transaction that holds it: its statements, their failures, and how it is ended.

A statement may go past the session: by a raw `connection()`, a lazy load, a flush. They all pass the engine's events.
An event finds the listener by an execution option of the `Connection`: `Connection.info` would outlive the transaction.

After a failed statement PostgreSQL answers COMMIT with ROLLBACK, and neither asyncpg nor SQLAlchemy says so: the caller
would believe a commit that was none. SQLite would commit what came before. So the listener remembers a failure and
refuses what comes after it, as pgjdbc does since 42.2.11 (pgjdbc issue 1697).
"""

import re
from typing import Any, Protocol

import aiosqlite
from sqlalchemy import CompoundSelect, Connection, Engine, Select, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import MissingGreenlet

from ...domain.errors import UnitOfWorkError
from .drivers.left_state import watch_statement

LISTENER = "steward_listener"
# Rows are read at once: an option of `stream` where there is no transaction to stream in.
AT_ONCE = {"yield_per": None, "stream_results": False}
_ENDS = re.compile(
    r"(COMMIT|END|ROLLBACK|ABORT|PREPARE\s+TRANSACTION)\b(?!\s+TO\b|\s+(?:WORK|TRANSACTION)\s+TO\b)", re.IGNORECASE
)
_SKIPPED = re.compile(r"[\s;]+|--[^\n]*")
_COMMENT_EDGE = re.compile(r"/\*|\*/")


class ConnectionListener(Protocol):
    """The memory of one transaction: a unit of work, or a plain session."""

    def before_statement(self, *, writes: bool) -> None:
        """Refuse a statement by an exception."""

    def after_statement(self) -> None: ...

    def statement_failed(self, error: BaseException, *, heals: bool) -> BaseException:
        """Remember it, and return the first failure; `heals` says whether rolling back to a savepoint does."""
        ...

    def before_end(self, *, commits: bool) -> None:
        """Refuse COMMIT or ROLLBACK by an exception."""


def tell_listeners(engine: Engine) -> None:
    """Install the events on an engine."""
    event.listen(engine, "before_cursor_execute", _before_statement)
    event.listen(engine, "after_cursor_execute", _after_statement)
    event.listen(engine, "handle_error", _statement_failed)
    event.listen(engine, "commit", lambda connection: _before_end(connection, commits=True))
    event.listen(engine, "rollback", lambda connection: _before_end(connection, commits=False))


def _listener(connection: Connection | None) -> ConnectionListener | None:
    if connection is None or connection.closed:
        return None
    listener: ConnectionListener | None = connection.get_execution_options().get(LISTENER)
    return listener


def _before_statement(connection: Connection, _c: Any, sql: str, _p: Any, context: Any, _many: bool) -> None:
    if (listener := _listener(connection)) is None or sql.startswith("ROLLBACK TO"):
        return
    if ends := _ENDS.match(sql, _beginning_of(sql)):
        listener.before_end(commits=ends[1].upper() not in ("ROLLBACK", "ABORT"))
    watch_statement(connection, sql)
    listener.before_statement(writes=not _only_reads(sql, context))


def _beginning_of(sql: str) -> int:
    """Return where the statement begins, behind spaces, semicolons and comments, which PostgreSQL nests."""
    position = 0
    while True:
        if skipped := _SKIPPED.match(sql, position):
            position = skipped.end()
        elif sql.startswith("/*", position):
            depth = 0
            for edge in _COMMENT_EDGE.finditer(sql, position):
                depth += 1 if edge[0] == "/*" else -1
                position = edge.end()
                if depth == 0:
                    break
            else:
                return len(sql)
        else:
            return position


def _only_reads(sql: str, context: Any) -> bool:
    if context is None or sql.startswith(("SAVEPOINT", "RELEASE")) or context.execution_options.get("reads"):
        return True
    compiled = context.compiled
    statement = getattr(compiled, "statement", None)
    if isinstance(statement, (Select, CompoundSelect)):
        ctes = compiled.ctes or ()
        return not any(getattr(cte.element, "is_dml", False) for cte in ctes)
    return sql.lstrip()[:6].upper() == "SELECT"


def _after_statement(connection: Connection, *_: Any) -> None:
    if (listener := _listener(connection)) is not None:
        listener.after_statement()


def _statement_failed(context: ExceptionContext) -> None:
    error = context.original_exception
    listener = _listener(context.connection)
    if listener is None:
        return
    # Nothing was sent. SQLAlchemy takes the former for a lost connection on SQLite.
    if isinstance(error, (MissingGreenlet, UnitOfWorkError)):
        listener.after_statement()
        raise error
    heals = isinstance(error, Exception) and not context.is_disconnect and _is_in_transaction(context.connection)
    listener.statement_failed(context.sqlalchemy_exception or error, heals=heals)
    listener.after_statement()


def _is_in_transaction(connection: Connection | None) -> bool:
    """SQLite rolls the whole transaction back for some errors: an interrupted write, a full disk."""
    assert connection is not None
    driver = None if connection.invalidated else connection.connection.driver_connection
    return not isinstance(driver, aiosqlite.Connection) or driver.in_transaction


def _before_end(connection: Connection, *, commits: bool) -> None:
    if (listener := _listener(connection)) is not None:
        listener.before_end(commits=commits)

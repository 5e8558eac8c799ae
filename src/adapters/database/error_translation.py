"""The one place that knows what a database's error means.

By SQLSTATE on PostgreSQL and by the extended result code on SQLite, never by the class of the exception: asyncpg,
SQLAlchemy and the operating system name the same fault differently.
"""

import re
import sqlite3

from sqlalchemy import exc

from ...domain.errors import (
    Conflict,
    DatabaseUnavailable,
    DeadlineExceeded,
    EmailTaken,
    InvalidValue,
    OutcomeUnknown,
    Overloaded,
    SchemaOutOfDate,
    StewardError,
    StorageFull,
    UsernameTaken,
)

_UNIQUE: dict[str, type[StewardError]] = {
    "uq_users_username_key": UsernameTaken,
    "uq_users_email_key": EmailTaken,
}

# PostgreSQL: the classes that mean "try later" (appendix A of its manual).
_UNAVAILABLE = ("08", "53", "55", "57", "58")
_CANCELLED_BY_TIMEOUT = "57014"
_TOO_MANY_CONNECTIONS = "53300"


def translate(
    error: Exception, *, foreign_key: StewardError | None = None, committing: bool = False
) -> StewardError | None:
    """The domain's error for the database's, or None if there is none: then it is a bug, and stays as it is.

    `foreign_key` is what a violated foreign key means for the statement: SQLite does not say which one it was.
    """
    if isinstance(error, StewardError):
        return error
    if isinstance(error, exc.TimeoutError):  # of the pool, before anything was sent
        return Overloaded("No database connection became free in time")
    if isinstance(error, exc.DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            return _from_sqlite(error.orig, foreign_key, committing=committing)
        return _from_postgres(error, foreign_key, committing=committing)
    if isinstance(error, TimeoutError):
        return OutcomeUnknown() if committing else DeadlineExceeded("The database did not answer in time")
    if isinstance(error, OSError):
        return OutcomeUnknown() if committing else DatabaseUnavailable("The database cannot be reached")
    if isinstance(error, OverflowError):  # sqlite3 and asyncpg raise it bare
        return InvalidValue("value", "out_of_range", "A number is beyond 64 bits")
    return None


def _from_postgres(error: exc.DBAPIError, foreign_key: StewardError | None, *, committing: bool) -> StewardError | None:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    if state in ("40001", "40P01"):
        return Conflict()
    if state == "23505":
        taken = _UNIQUE.get(_constraint_name(error))
        return taken() if taken else None
    if state == "23503":
        return foreign_key
    if state in ("22003", "22021"):
        return InvalidValue("value", "not_storable", "A value cannot be stored")
    if state in ("42P01", "42703"):
        return SchemaOutOfDate("The schema is out of date: run `steward db upgrade`")
    if committing and (error.connection_invalidated or state.startswith(("08", "57"))):
        return OutcomeUnknown()
    if state == _CANCELLED_BY_TIMEOUT:
        return DeadlineExceeded("A statement took longer than it may")
    if state == _TOO_MANY_CONNECTIONS:
        return Overloaded("The database takes no more connections")
    if state == "53100":
        return StorageFull("The database has no space left")
    if error.connection_invalidated or state.startswith(_UNAVAILABLE):
        return DatabaseUnavailable("The database is not available")
    if not state and isinstance(error, exc.InterfaceError):
        return DatabaseUnavailable("The connection to the database was lost")
    return None


def _constraint_name(error: exc.DBAPIError) -> str:
    return getattr(error.driver_exception, "constraint_name", None) or ""


def _from_sqlite(error: sqlite3.Error, foreign_key: StewardError | None, *, committing: bool) -> StewardError | None:
    code: str = getattr(error, "sqlite_errorname", None) or ""
    if code == "SQLITE_CONSTRAINT_UNIQUE":
        taken = _UNIQUE.get(_unique_name(str(error)))
        return taken() if taken else None
    if code == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return foreign_key
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return Conflict("The database file is locked by another process")
    if code == "SQLITE_FULL":
        return StorageFull("The disk is full")
    if code.startswith("SQLITE_IOERR"):
        return OutcomeUnknown() if committing else DatabaseUnavailable("The database file cannot be read or written")
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_AUTH")):
        return DatabaseUnavailable("The database file cannot be used")
    if code == "SQLITE_INTERRUPT":
        return DeadlineExceeded("A statement was interrupted")
    if code == "SQLITE_ERROR" and ("no such table" in str(error) or "no such column" in str(error)):
        return SchemaOutOfDate("The schema is out of date: run `steward db upgrade`")
    return None


def _unique_name(message: str) -> str:
    """SQLite names columns: `UNIQUE constraint failed: users.email_key`."""
    match = re.search(r"failed: (\w+)\.(\w+)", message)
    return f"uq_{match[1]}_{match[2]}" if match else ""

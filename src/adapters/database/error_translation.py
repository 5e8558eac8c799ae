"""The one place that knows what a database's error means.

By SQLSTATE on PostgreSQL and by the extended result code on SQLite, never by the class of the exception: asyncpg,
SQLAlchemy and the operating system name the same fault differently.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import asyncpg
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.orm.exc import StaleDataError

from ...domain.errors import (
    Conflict,
    DatabaseLocked,
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
from ...service_layer.tally import count_commit

_UNIQUE: dict[str, type[StewardError]] = {
    "uq_users_username_key": UsernameTaken,
    "uq_users_email_key": EmailTaken,
}

# The field that is at fault when a CHECK refuses a row. The domain refuses earlier; these stop whoever passes it by.
_CHECKED: dict[str, str] = {
    "ck_users_username_length": "username",
    "ck_users_email_length": "email",
    "ck_users_role_known": "role",
    "ck_users_version_positive": "version",
    "ck_items_name_length": "name",
    "ck_items_description_length": "description",
    "ck_items_quantity_range": "quantity",
    "ck_items_version_positive": "version",
    "ck_tokens_hash_length": "hash",
    "ck_tokens_kind_known": "kind",
    "ck_attempt_counters_key_length": "key",
    "ck_attempt_counters_count_not_negative": "count",
    "ck_idempotency_keys_key_length": "key",
    "ck_idempotency_keys_fingerprint_length": "fingerprint",
}

# PostgreSQL's classes and codes (appendix A of its manual): those that mean "try later", or "ask the operator".
# 25006 is a write on a standby, 28 a refused sign-in, 3D a database that does not exist.
_UNAVAILABLE = ("08", "25006", "28", "3D", "53", "55", "57", "58")
_CANCELLED_BY_TIMEOUT = "57014"
_TOO_MANY_CONNECTIONS = "53300"
_NOT_STORABLE = ("22003", "22021")  # out of range, and not text in UTF-8
_NOT_UTF_8 = "Could not decode to UTF-8"  # of Python's module sqlite3, without a code: nobody has stored such text


def translate(
    error: Exception, *, foreign_key: StewardError | None = None, committing: bool = False
) -> StewardError | None:
    """The domain's error for the database's, or None if there is none: then it is a bug, and stays as it is.

    `foreign_key` is what a violated foreign key means for the statement: SQLite does not say which one it was.
    """
    if isinstance(error, StewardError):
        return error
    if isinstance(error, StaleDataError):  # a mapped class with `version_id_col`
        return Conflict()
    if isinstance(error, exc.TimeoutError):  # of the pool, before anything was sent
        return Overloaded("No database connection became free in time")
    if isinstance(error, sqlite3.Error):
        return _from_sqlite(error, foreign_key, committing=committing)
    if isinstance(error, exc.DBAPIError):
        if isinstance(error.orig, sqlite3.Error):
            return _from_sqlite(error.orig, foreign_key, committing=committing)
        if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
            return Conflict()  # a migration has changed a column meanwhile; what was prepared before is forgotten now
        state: str = getattr(error.orig, "sqlstate", None) or ""
        is_lost = error.connection_invalidated or (not state and isinstance(error, exc.InterfaceError))
        return _from_postgres(error.driver_exception, state, foreign_key, is_lost=is_lost, committing=committing)
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.Error):  # bare, of a connection that was not to be had
        is_lost = isinstance(error, AsyncAdapt_asyncpg_dbapi.InterfaceError)
        return _from_postgres(error, error.sqlstate or "", foreign_key, is_lost=is_lost, committing=committing)
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return Conflict()
    if isinstance(error, asyncpg.PostgresError):
        return _from_postgres(error, error.sqlstate or "", foreign_key, is_lost=False, committing=committing)
    if isinstance(error, (asyncpg.InterfaceError, asyncpg.InternalClientError)):  # it is closed, or about to be
        return _from_postgres(error, "", foreign_key, is_lost=True, committing=committing)
    if isinstance(error, TimeoutError):
        return OutcomeUnknown() if committing else DeadlineExceeded("The database did not answer in time")
    if isinstance(error, OSError):
        return OutcomeUnknown() if committing else DatabaseUnavailable("The database cannot be reached")
    if isinstance(error, (OverflowError, UnicodeEncodeError)):  # sqlite3 raises them bare
        return _not_storable()
    return None


@contextmanager
def translating(*, foreign_key: StewardError | None = None, committing: bool = False) -> Iterator[None]:
    """Let the domain's errors out instead of the database's; what has no translation stays as it is."""
    try:
        yield
    except Exception as error:
        raise_translated(error, foreign_key=foreign_key, committing=committing)


def raise_translated(
    error: Exception, *, foreign_key: StewardError | None = None, committing: bool = False
) -> NoReturn:
    """What `translating` does, for those whom a context manager would cost too much."""
    translated = translate(error, foreign_key=foreign_key, committing=committing)
    if isinstance(translated, OutcomeUnknown):
        count_commit()
    if translated is None or translated is error:
        raise error
    raise translated from error


def _from_postgres(
    error: BaseException, state: str, foreign_key: StewardError | None, *, is_lost: bool, committing: bool
) -> StewardError | None:
    """`error` is asyncpg's own, `state` its SQLSTATE; `is_lost` says that the connection is."""
    if state in ("40001", "40P01"):
        return Conflict()
    if state == "23505":
        return _taken(_named(error, "constraint_name"))
    if state == "23503":
        return foreign_key
    if state == "23514":
        return _refused_by_check(_named(error, "constraint_name"))
    if state == "23502":
        return _missing(_named(error, "column_name"))
    if state in _NOT_STORABLE or isinstance(error.__cause__, (OverflowError, UnicodeEncodeError)):
        return _not_storable()  # the latter is asyncpg's own, before anything is sent
    if state in ("42P01", "42703"):
        return SchemaOutOfDate("The schema is out of date: run `steward db upgrade`")
    if committing and (is_lost or state.startswith(("08", "57"))):
        return OutcomeUnknown()
    if state == _CANCELLED_BY_TIMEOUT:
        return DeadlineExceeded("A statement took longer than it may")
    if state == _TOO_MANY_CONNECTIONS:
        return Overloaded("The database takes no more connections")
    if state == "53100":
        return StorageFull("The database has no space left")
    if is_lost or state.startswith(_UNAVAILABLE):
        return DatabaseUnavailable("The database is not available")
    return None


def _named(error: BaseException, what: str) -> str:
    return getattr(error, what, None) or ""


def _from_sqlite(error: sqlite3.Error, foreign_key: StewardError | None, *, committing: bool) -> StewardError | None:
    code: str = getattr(error, "sqlite_errorname", None) or ""
    if code == "SQLITE_CONSTRAINT_UNIQUE":
        return _taken(_unique_name(str(error)))
    if code == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return foreign_key
    if code == "SQLITE_CONSTRAINT_CHECK":
        return _refused_by_check(str(error).rpartition(" ")[2])
    if code == "SQLITE_CONSTRAINT_NOTNULL":
        return _missing(str(error).rpartition(".")[2])
    if code == "SQLITE_BUSY_SNAPSHOT" or code.startswith("SQLITE_LOCKED"):
        return Conflict()
    if code.startswith("SQLITE_BUSY"):
        return DatabaseLocked("The database file is locked by another process")
    # The latter: no room for the index of the log. A COMMIT that fails there has been written to the log already, and
    # whoever recovers that after a crash finds it.
    if code == "SQLITE_FULL" or (code == "SQLITE_IOERR_SHMSIZE" and not committing):
        return StorageFull("The disk is full")
    if code.startswith("SQLITE_IOERR"):
        return OutcomeUnknown() if committing else DatabaseUnavailable("The database file cannot be read or written")
    if code == "SQLITE_NOTADB":
        return DatabaseUnavailable("The database file is damaged, or no database at all")
    if code.startswith("SQLITE_CORRUPT") or (not code and _NOT_UTF_8 in str(error)):
        return DatabaseUnavailable("The database file is damaged: whoever runs this server has to restore a backup")
    if code.startswith("SQLITE_READONLY"):
        return DatabaseUnavailable("The database file can be read, but not written")
    if code.startswith(("SQLITE_CANTOPEN", "SQLITE_AUTH")):
        return DatabaseUnavailable("The database file cannot be opened")
    if code == "SQLITE_INTERRUPT":
        return DeadlineExceeded("A statement was interrupted")
    if code == "SQLITE_ERROR" and re.match(r"no such (table|column)|table \w+ has no column", str(error)):
        return SchemaOutOfDate("The schema is out of date: run `steward db upgrade`")
    return None


def _unique_name(message: str) -> str:
    """SQLite names columns, `UNIQUE constraint failed: users.email_key`; this is what our convention makes of them."""
    columns = re.findall(r"(\w+)\.(\w+)", message)
    return "_".join(("uq", columns[0][0], *(column for _, column in columns))) if columns else ""


def _taken(constraint: str) -> StewardError | None:
    error = _UNIQUE.get(constraint)
    return error() if error else None


def _refused_by_check(constraint: str) -> StewardError | None:
    field = _CHECKED.get(constraint)
    return InvalidValue(field, "check", f"The database refuses this value: {constraint}") if field else None


def _missing(column: str) -> StewardError:
    return InvalidValue(column, "missing", "The database refuses to leave this empty")


def _not_storable() -> StewardError:
    return InvalidValue("value", "not_storable", "A value is beyond what the database can hold")

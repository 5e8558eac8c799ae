"""The one place that knows what a database's error means.

By SQLSTATE on PostgreSQL and by the extended result code on SQLite, never by the class of the exception: asyncpg,
SQLAlchemy and the operating system name the same fault differently.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import asyncpg
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.orm.exc import StaleDataError

from ...domain.errors import (
    ConcurrentUse,
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
    TransactionAborted,
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


@dataclass(slots=True)
class _Failure:
    """An error of a driver. `code` is its SQLSTATE; `is_lost` says that the connection is.

    `foreign_key` is what a violated foreign key means for the statement: SQLite does not say which one it was.
    """

    error: BaseException
    foreign_key: StewardError | None
    committing: bool
    code: str = ""
    is_lost: bool = False

    def named(self, what: str) -> str:
        return getattr(self.error, what, None) or ""


_Meaning = Callable[[_Failure], StewardError | None]


def translate(
    error: Exception, *, foreign_key: StewardError | None = None, committing: bool = False
) -> StewardError | None:
    """The domain's error for the database's, or None if there is none: then it is a bug, and stays as it is.

    `foreign_key` is what a violated foreign key means for the statement: SQLite does not say which one it was.
    """
    for kinds, meaning in _BY_CLASS:
        if isinstance(error, kinds):
            return meaning(_Failure(error, foreign_key, committing))
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


def _as(kind: type[StewardError], *arguments: str) -> _Meaning:
    return lambda _: kind(*arguments)


def _or_unknown(kind: type[StewardError], message: str) -> _Meaning:
    """While COMMIT is under way its outcome is unknown."""
    return lambda failure: OutcomeUnknown() if failure.committing else kind(message)


def _taken(constraint: str) -> StewardError | None:
    error = _UNIQUE.get(constraint)
    return error() if error else None


def _refused_by_check(constraint: str) -> StewardError | None:
    field = _CHECKED.get(constraint)
    return InvalidValue(field, "check", f"The database refuses this value: {constraint}") if field else None


def _missing(column: str) -> StewardError:
    return InvalidValue(column, "missing", "The database refuses to leave this empty")


_not_storable = _as(InvalidValue, "value", "not_storable", "A value is beyond what the database can hold")
_schema_out_of_date = _as(SchemaOutOfDate, "The schema is out of date: run `steward db upgrade`")
_unavailable = _as(DatabaseUnavailable, "The database is not available")
_is_busy = _as(ConcurrentUse, "Another task was reading from this transaction: nothing is committed")
_not_sent = _as(DatabaseUnavailable, "The connection was lost before COMMIT: nothing was stored")

# PostgreSQL, by SQLSTATE (appendix A of its manual). The server has answered, also if the connection is lost after it:
_ANSWERS: dict[str, _Meaning] = {
    "40001": _as(Conflict),
    "40P01": _as(Conflict),
    "23505": lambda failure: _taken(failure.named("constraint_name")),
    "23503": lambda failure: failure.foreign_key,
    "23514": lambda failure: _refused_by_check(failure.named("constraint_name")),
    "23502": lambda failure: _missing(failure.named("column_name")),
    "22003": _not_storable,  # out of range
    "22021": _not_storable,  # not text in UTF-8
    "25P02": _as(TransactionAborted, "A statement of this transaction had failed: nothing is committed"),
    "42P01": _schema_out_of_date,
    "42703": _schema_out_of_date,
}
# Faults of the server or the way to it, by code or class: "try later", or "ask the operator".
_FAULTS: dict[str, _Meaning] = {
    "57014": _as(DeadlineExceeded, "A statement took longer than it may"),
    "53300": _as(Overloaded, "The database takes no more connections"),
    "53100": _as(StorageFull, "The database has no space left"),
    "25006": _unavailable,  # a write on a standby
    "08": _unavailable,
    "28": _unavailable,  # a refused sign-in
    "3D": _unavailable,  # a database that does not exist
    "53": _unavailable,
    "55": _unavailable,
    "57": _unavailable,
    "58": _unavailable,
}
# With these the server may end a COMMIT that it has carried out: it waits for a standby after it has written.
_ENDS_COMMIT = ("08", "57")


def _from_postgres(failure: _Failure) -> StewardError | None:
    """`failure.error` is asyncpg's own."""
    state = failure.code
    if isinstance(failure.error.__cause__, (OverflowError, UnicodeEncodeError)):
        return _not_storable(failure)  # asyncpg's own, before anything is sent
    if answer := _ANSWERS.get(state):
        return answer(failure)
    if failure.committing and (failure.is_lost or state.startswith(_ENDS_COMMIT)):
        # asyncpg raises it before it sends a query, and never later: the connection is closed, or busy. Our connections
        # raise it for a COMMIT whenever it is certain that the server has not carried it out.
        if not isinstance(failure.error, asyncpg.InterfaceError):
            return OutcomeUnknown()
        return _is_busy(failure) if "another operation" in str(failure.error) else _not_sent(failure)
    fault = _FAULTS.get(state) or _FAULTS.get(state[:2]) or (_unavailable if failure.is_lost else None)
    return fault(failure) if fault else None


def _from_asyncpg(failure: _Failure) -> StewardError | None:
    failure.code = failure.named("sqlstate")
    return _from_postgres(failure)


def _from_lost_asyncpg(failure: _Failure) -> StewardError | None:
    """Its connection is closed, or about to be."""
    failure.is_lost = True
    return _from_postgres(failure)


def _from_adapter(failure: _Failure) -> StewardError | None:
    """Bare, of a connection that could not be made."""
    failure.is_lost = isinstance(failure.error, AsyncAdapt_asyncpg_dbapi.InterfaceError)
    return _from_asyncpg(failure)


def _from_sqlalchemy(failure: _Failure) -> StewardError | None:
    error = failure.error
    assert isinstance(error, exc.DBAPIError)
    if isinstance(error.orig, sqlite3.Error):
        failure.error = error.orig
        return _from_sqlite(failure)
    if isinstance(error.orig, AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError):
        return Conflict()  # a migration has changed a column meanwhile; what was prepared before is forgotten now
    failure.code = getattr(error.orig, "sqlstate", None) or ""
    failure.is_lost = error.connection_invalidated or (not failure.code and isinstance(error, exc.InterfaceError))
    failure.error = error.driver_exception
    return _from_postgres(failure)


def _old_schema(failure: _Failure) -> StewardError | None:
    is_old = re.match(r"no such (table|column)|table \w+ has no column", str(failure.error))
    return _schema_out_of_date(failure) if is_old else None


_damaged = _as(DatabaseUnavailable, "The database file is damaged: the operator has to restore a backup")

# SQLite, by the beginning of the name of its extended result code; the first that fits counts.
_SQLITE: tuple[tuple[str, _Meaning], ...] = (
    ("SQLITE_CONSTRAINT_UNIQUE", lambda failure: _taken(_unique_name(str(failure.error)))),
    ("SQLITE_CONSTRAINT_FOREIGNKEY", lambda failure: failure.foreign_key),
    ("SQLITE_CONSTRAINT_CHECK", lambda failure: _refused_by_check(str(failure.error).rpartition(" ")[2])),
    ("SQLITE_CONSTRAINT_NOTNULL", lambda failure: _missing(str(failure.error).rpartition(".")[2])),
    ("SQLITE_BUSY_SNAPSHOT", _as(Conflict)),
    ("SQLITE_LOCKED", _as(Conflict)),
    ("SQLITE_BUSY", _as(DatabaseLocked, "The database file is locked by another process")),
    ("SQLITE_FULL", _as(StorageFull, "The disk is full")),
    # No space for the index of the log. A COMMIT that fails there has been written to the log already, and the next
    # process that opens the file after a crash finds it.
    ("SQLITE_IOERR_SHMSIZE", _or_unknown(StorageFull, "The disk is full")),
    ("SQLITE_IOERR", _or_unknown(DatabaseUnavailable, "The database file cannot be read or written")),
    ("SQLITE_NOTADB", _as(DatabaseUnavailable, "The database file is damaged, or no database at all")),
    ("SQLITE_CORRUPT", _damaged),
    ("SQLITE_READONLY", _as(DatabaseUnavailable, "The database file can be read, but not written")),
    ("SQLITE_CANTOPEN", _as(DatabaseUnavailable, "The database file cannot be opened")),
    ("SQLITE_AUTH", _as(DatabaseUnavailable, "The database file cannot be opened")),
    ("SQLITE_INTERRUPT", _as(DeadlineExceeded, "A statement was interrupted")),
    ("SQLITE_ERROR", _old_schema),
)
# Of Python's module sqlite3, and of SQLAlchemy's adapter: a part of the message.
_SQLITE_WITHOUT_CODE: tuple[tuple[str, _Meaning], ...] = (
    ("Could not decode to UTF-8", _damaged),  # no such text was stored
    # Before the statement was begun, a COMMIT too:
    ("no active connection", _as(DatabaseUnavailable, "The connection to the database file was closed")),
    ("Connection closed", _as(DatabaseUnavailable, "The connection to the database file was closed")),
)


def _from_sqlite(failure: _Failure) -> StewardError | None:
    code = failure.named("sqlite_errorname")
    for beginning, meaning in _SQLITE:
        if code.startswith(beginning):
            return meaning(failure)
    for part, meaning in _SQLITE_WITHOUT_CODE:
        if not code and part in str(failure.error):
            return meaning(failure)
    return None


def _unique_name(message: str) -> str:
    """SQLite names columns, `UNIQUE constraint failed: users.email_key`; this is what our convention makes of them."""
    columns = re.findall(r"(\w+)\.(\w+)", message)
    return "_".join(("uq", columns[0][0], *(column for _, column in columns))) if columns else ""


def _itself(failure: _Failure) -> StewardError | None:
    return failure.error if isinstance(failure.error, StewardError) else None


# The first that fits counts: a class stands before those that it is derived from.
_BY_CLASS: tuple[tuple[type[Exception] | tuple[type[Exception], ...], _Meaning], ...] = (
    (StewardError, _itself),
    (StaleDataError, _as(Conflict)),  # a mapped class with `version_id_col`
    # A flush had failed, or the connection was invalidated:
    (exc.PendingRollbackError, _as(TransactionAborted, "The transaction had failed and can only be rolled back")),
    (exc.TimeoutError, _as(Overloaded, "No database connection became free in time")),  # before anything was sent
    (sqlite3.Error, _from_sqlite),
    (exc.DBAPIError, _from_sqlalchemy),
    (AsyncAdapt_asyncpg_dbapi.Error, _from_adapter),
    (asyncpg.InvalidCachedStatementError, _as(Conflict)),
    (asyncpg.PostgresError, _from_asyncpg),
    ((asyncpg.InterfaceError, asyncpg.InternalClientError), _from_lost_asyncpg),
    (TimeoutError, _or_unknown(DeadlineExceeded, "The database did not answer in time")),
    (OSError, _or_unknown(DatabaseUnavailable, "The database cannot be reached")),
    ((OverflowError, UnicodeEncodeError), _not_storable),  # sqlite3 raises them bare
)

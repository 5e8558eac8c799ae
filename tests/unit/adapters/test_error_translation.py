"""What each error of a database means. Those that a test can provoke come from real databases, here and in
`tests/integration`; the others are the drivers' own classes."""

import sqlite3
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import exc
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from steward.adapters.database.database import Database
from steward.adapters.database.error_translation import translate
from steward.domain.errors import (
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
    StorageError,
    StorageFull,
    UnknownOwner,
    UsernameTaken,
)

from tests.support.given import given_user


class _Driver(AsyncAdapt_asyncpg_dbapi.Error):
    """asyncpg's error in the clothes that SQLAlchemy's adapter puts on it."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause), cause)  # type: ignore[no-untyped-call]
        self.sqlstate = getattr(cause, "sqlstate", None)
        self.__cause__ = cause


def from_postgres(state: str, *, lost: bool = False, **details: str) -> exc.DBAPIError:
    cause = asyncpg.PostgresError("as the server says")
    cause.sqlstate = state
    for name, value in details.items():
        setattr(cause, name, value)
    return exc.DBAPIError("SELECT 1", None, _Driver(cause), connection_invalidated=lost)


def from_sqlite(name: str, message: str = "") -> exc.DBAPIError:
    cause = sqlite3.OperationalError(message)
    cause.sqlite_errorname = name
    return exc.OperationalError("SELECT 1", None, cause)


def kind(error: Exception, *, committing: bool = False) -> type[StewardError] | None:
    translated = translate(error, foreign_key=UnknownOwner(7), committing=committing)
    return None if translated is None else type(translated)


@pytest.mark.parametrize(
    ("error", "meaning", "while_committing"),
    [
        (from_postgres("40001"), Conflict, Conflict),
        (from_postgres("40P01"), Conflict, Conflict),
        (from_postgres("23505", constraint_name="uq_users_username_key"), UsernameTaken, UsernameTaken),
        (from_postgres("23505", constraint_name="uq_users_email_key"), EmailTaken, EmailTaken),
        (from_postgres("23505", constraint_name="uq_of_somebody_else"), None, None),
        (from_postgres("23505"), None, None),
        (from_postgres("23503"), UnknownOwner, UnknownOwner),
        (from_postgres("23514", constraint_name="ck_items_quantity_range"), InvalidValue, InvalidValue),
        (from_postgres("23514", constraint_name="ck_of_somebody_else"), None, None),
        (from_postgres("23502", column_name="name"), InvalidValue, InvalidValue),
        (from_postgres("22003"), InvalidValue, InvalidValue),
        (from_postgres("22021"), InvalidValue, InvalidValue),
        (from_postgres("42P01"), SchemaOutOfDate, SchemaOutOfDate),
        (from_postgres("42703"), SchemaOutOfDate, SchemaOutOfDate),
        (from_postgres("42601"), None, None),
        (from_postgres("57014"), DeadlineExceeded, OutcomeUnknown),
        (from_postgres("57P01"), DatabaseUnavailable, OutcomeUnknown),
        (from_postgres("08006"), DatabaseUnavailable, OutcomeUnknown),
        (from_postgres("", lost=True), DatabaseUnavailable, OutcomeUnknown),
        (from_postgres("53300"), Overloaded, Overloaded),
        (from_postgres("53100"), StorageFull, StorageFull),
        (from_postgres("53200"), DatabaseUnavailable, DatabaseUnavailable),
        (from_postgres("25006"), DatabaseUnavailable, DatabaseUnavailable),
        (from_postgres("28P01"), DatabaseUnavailable, DatabaseUnavailable),
        (from_postgres("3D000"), DatabaseUnavailable, DatabaseUnavailable),
        (from_postgres("58030"), DatabaseUnavailable, DatabaseUnavailable),
        (from_postgres("XX000"), None, None),
        (
            exc.InterfaceError("SELECT 1", None, _Driver(asyncpg.InternalClientError("broken"))),
            DatabaseUnavailable,
            OutcomeUnknown,
        ),
    ],
)
def test_what_an_error_of_postgresql_means(
    error: exc.DBAPIError, meaning: type[StewardError] | None, while_committing: type[StewardError] | None
) -> None:
    assert kind(error) is meaning
    assert kind(error, committing=True) is while_committing


@pytest.mark.parametrize(
    ("error", "meaning", "while_committing"),
    [
        (from_sqlite("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: users.email_key"), EmailTaken, EmailTaken),
        (from_sqlite("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: keys.user_id, keys.key"), None, None),
        (from_sqlite("SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: index 'odd'"), None, None),
        (from_sqlite("SQLITE_CONSTRAINT_FOREIGNKEY", "FOREIGN KEY constraint failed"), UnknownOwner, UnknownOwner),
        (from_sqlite("SQLITE_CONSTRAINT_CHECK", "CHECK constraint failed: odd"), None, None),
        (from_sqlite("SQLITE_BUSY"), DatabaseLocked, DatabaseLocked),
        (from_sqlite("SQLITE_BUSY_RECOVERY"), DatabaseLocked, DatabaseLocked),
        (from_sqlite("SQLITE_BUSY_SNAPSHOT"), Conflict, Conflict),
        (from_sqlite("SQLITE_LOCKED_SHAREDCACHE"), Conflict, Conflict),
        (from_sqlite("SQLITE_FULL"), StorageFull, StorageFull),
        (from_sqlite("SQLITE_IOERR_SHMSIZE"), StorageFull, OutcomeUnknown),
        (from_sqlite("SQLITE_IOERR_FSYNC"), DatabaseUnavailable, OutcomeUnknown),
        (from_sqlite("SQLITE_CANTOPEN"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("SQLITE_READONLY_DBMOVED"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("SQLITE_CORRUPT"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("", "Could not decode to UTF-8 column"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("", "no active connection"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("", "Connection closed"), DatabaseUnavailable, DatabaseUnavailable),
        (from_sqlite("SQLITE_INTERRUPT"), DeadlineExceeded, DeadlineExceeded),
        (from_sqlite("SQLITE_ERROR", "no such table: users"), SchemaOutOfDate, SchemaOutOfDate),
        (from_sqlite("SQLITE_ERROR", "no such column: users.age"), SchemaOutOfDate, SchemaOutOfDate),
        (from_sqlite("SQLITE_ERROR", "table users has no column named age"), SchemaOutOfDate, SchemaOutOfDate),
        (from_sqlite("SQLITE_ERROR", 'near "SELCT": syntax error'), None, None),
    ],
)
def test_what_an_error_of_sqlite_means(
    error: exc.DBAPIError, meaning: type[StewardError] | None, while_committing: type[StewardError] | None
) -> None:
    assert kind(error) is meaning
    assert kind(error, committing=True) is while_committing


@pytest.mark.parametrize(
    ("error", "meaning", "while_committing"),
    [
        (exc.TimeoutError("of the pool"), Overloaded, Overloaded),
        (TimeoutError(), DeadlineExceeded, OutcomeUnknown),
        (ConnectionRefusedError(), DatabaseUnavailable, OutcomeUnknown),
        (OSError("no route"), DatabaseUnavailable, OutcomeUnknown),
        (asyncpg.AdminShutdownError("it ends"), DatabaseUnavailable, OutcomeUnknown),
        (asyncpg.InterfaceError("closed"), DatabaseUnavailable, DatabaseUnavailable),  # COMMIT was not sent
        (asyncpg.InternalClientError("another operation (2) is in progress"), DatabaseUnavailable, OutcomeUnknown),
        (asyncpg.SerializationError("could not serialize"), Conflict, Conflict),
        (OverflowError(), InvalidValue, InvalidValue),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogate"), InvalidValue, InvalidValue),
        (ValueError("a bug"), None, None),
        (UsernameTaken(), UsernameTaken, UsernameTaken),
    ],
)
def test_what_an_error_of_anyone_else_means(
    error: Exception, meaning: type[StewardError] | None, while_committing: type[StewardError] | None
) -> None:
    assert kind(error) is meaning
    assert kind(error, committing=True) is while_committing


def test_a_violated_foreign_key_that_means_nothing_to_the_statement_stays_as_it_is() -> None:
    assert translate(from_postgres("23503")) is None
    assert translate(from_sqlite("SQLITE_CONSTRAINT_FOREIGNKEY")) is None


@pytest.mark.parametrize("wrong", [2**63, "a\ud800"], ids=ascii)
def test_what_asyncpg_cannot_encode_is_an_invalid_value(wrong: object) -> None:
    cause = asyncpg.DataError("invalid input for query argument $1")
    cause.__cause__ = OverflowError() if isinstance(wrong, int) else UnicodeEncodeError("utf-8", "\ud800", 0, 1, "no")
    assert kind(exc.DBAPIError("SELECT 1", None, _Driver(cause))) is InvalidValue


def test_an_argument_of_the_wrong_type_stays_a_bug() -> None:
    cause = asyncpg.DataError("invalid input for query argument $1")
    cause.__cause__ = TypeError("'str' object cannot be interpreted as an integer")
    assert kind(exc.DBAPIError("SELECT 1", None, _Driver(cause))) is None


def test_no_message_shows_sql_or_a_path() -> None:
    for error in (from_postgres("57P01"), from_sqlite("SQLITE_CANTOPEN", "unable to open /secret/place")):
        assert "SELECT" not in str(translate(error))
        assert "secret" not in str(translate(error))


# The same with errors as SQLite raises them


@pytest.mark.parametrize("content", ["not a database at all, only text that someone has put here " * 20, None])
async def test_a_file_that_is_no_database_of_ours_is_an_error_of_storage(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "steward.db"
    if content is not None:
        file.write_text(content)
    async with Database(f"sqlite+aiosqlite:///{file}") as database:
        with pytest.raises(StorageError) as caught:
            await given_user(database, "ada")
    assert type(caught.value) is (SchemaOutOfDate if content is None else DatabaseUnavailable)


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "steward.db").mkdir()
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}") as database:
        with pytest.raises(DatabaseUnavailable):
            await given_user(database, "ada")


async def test_a_full_disk_is_storage_full_and_stores_nothing(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await given_user(database, "ada")
        async with database.engines.pools[0].connect() as connection:
            await connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page more than there are
        with pytest.raises(StorageFull):
            for number in range(10_000):
                await given_user(database, f"user{number}" + "x" * 50)
        async with database.unit_of_work().reading() as uow:
            assert [user.username for user in await uow.users.page(limit=1)] == [f"user{number - 1}" + "x" * 50]

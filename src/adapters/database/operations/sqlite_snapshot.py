"""A SQLite file read as it is at one moment, apart from the pools, by the driver alone."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....domain.errors import StorageError


def open_file(path: Path, busy_timeout: float, *, mode: str = "rw") -> sqlite3.Connection:
    """`busy_timeout` is in seconds; a `mode` of `rwc` makes a file that is not there. Raises `StorageError`."""
    if mode == "rw" and not path.is_file():
        raise StorageError(f"There is no file {path}")
    with sqlite_may_fail(path):
        address = f"{path.absolute().as_uri()}?mode={mode}"
        return sqlite3.connect(address, uri=True, isolation_level=None, timeout=busy_timeout)


def fix_snapshot(connection: sqlite3.Connection) -> None:
    """Let all that is read from now on be of this moment.

    A backup, too: one that finds the file changed between two steps begins anew, and under writers never ends.
    Inside a reading transaction it finds no change.
    """
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def revision_of(connection: sqlite3.Connection, path: Path) -> str:
    """Raises `StorageError`, with a sentence that names `path`, for what holds no database of ours."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if {"alembic_version", "users"} <= tables:
        (revision,) = connection.execute("SELECT max(version_num) FROM alembic_version").fetchone()
        if revision is not None:
            return str(revision)
    raise StorageError(f"{path} does not hold a database of Steward's")


@contextmanager
def sqlite_may_fail(path: Path) -> Iterator[None]:
    """Raises `StorageError`, with a sentence that names `path`."""
    try:
        yield
    except sqlite3.Error as error:
        code = code_of(error)
        if code.startswith("SQLITE_BUSY"):
            raise StorageError(f"{path} is in use: stop the server, and whatever else has it open") from error
        if code == "SQLITE_NOTADB":
            raise StorageError(f"{path} is not a SQLite database, or not any more") from error
        if code.startswith("SQLITE_CORRUPT"):
            raise StorageError(f"{path} is damaged: {error}") from error
        raise StorageError(f"{path} cannot be used: {error}") from error


def code_of(error: sqlite3.Error) -> str:
    """Empty for what Python's module raises by itself."""
    return getattr(error, "sqlite_errorname", None) or ""

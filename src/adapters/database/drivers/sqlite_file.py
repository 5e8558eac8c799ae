"""The file of a SQLite database: whether it is one, whose it is, and whether it is still where it was.

Looked at without changing a byte of it: to open a file as a database may already write to it or beside it.
"""

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from ....domain.errors import DatabaseUnavailable, OutcomeUnknown
from ..error_translation import translating


class DatabaseFile:
    """One for all connections of a database, so that they are all to the same file. `busy_timeout` is in seconds."""

    def __init__(self, path: str, *, busy_timeout: float) -> None:
        self.path = Path(path)
        self.busy_timeout = busy_timeout
        self._identity: tuple[int, int] | None = None  # device and inode, from the first connection on
        self._log = self.path.with_name(f"{self.path.name}-wal")
        self._has_log = False  # a file system without shared memory has none

    def check_before_opening(self) -> None:
        """Raises `DatabaseUnavailable` for a file that is no database or a damaged one, and for another file than the
        one that was opened first. Makes one that is missing, but only the first time."""
        if self._identity is not None:
            self.refuse_if_moved()
        elif self.path.exists():
            self._tables()
        else:
            _make(self.path)

    def opened(self) -> None:
        """After each connection was made."""
        self._identity = self._identity or _identity_of(self.path)
        self._has_log = self._has_log or self._log.exists()
        self.refuse_if_moved()

    def refuse_if_moved(self) -> None:
        """SQLite goes on in a file that was deleted or replaced, and what it acknowledges is in no file that anyone
        will find. Nor may a new connection open the replacement: it would apply the log of the old file to it
        (https://www.sqlite.org/howtocorrupt.html, section 2.4).
        """
        if self._is_moved():
            raise DatabaseUnavailable(_MOVED)

    def refuse_if_log_is_gone(self) -> None:
        """Of a file that is open. Before a COMMIT: SQLite goes on in a log that was deleted, too, and a crash then
        loses all that was acknowledged since the log was last copied into the file."""
        if self._is_log_gone():
            raise DatabaseUnavailable(_LOG_GONE)

    def unknown_if_moved(self) -> None:
        """After a COMMIT."""
        if self._is_moved():
            raise OutcomeUnknown(f"{_MOVED}. What was being stored may be lost")
        if self._is_log_gone():
            raise OutcomeUnknown(f"{_LOG_GONE}. What was being stored may be lost")

    def refuse_foreign(self) -> None:
        """Raises `DatabaseUnavailable` for the database of another application, which ours must not be put into, and
        as `check_before_opening`. An empty database is nobody's, and one that is missing will be ours."""
        if not self.path.exists():
            return
        tables = self._tables()
        if tables - {"alembic_version"} and not {"alembic_version", "users"} <= tables:
            some = ", ".join(sorted(tables)[:3])
            raise DatabaseUnavailable(
                f"The database file is that of another application: it has tables ({some}), and not Steward's"
            )

    def _tables(self) -> set[str]:
        """Looks at no more than the schema: a damaged page elsewhere is found by whoever reads it."""
        # Never by a file of our own: to close one would end every lock that this process holds on the database
        # (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        if _size_of(self.path) == 0:
            raise DatabaseUnavailable(
                "The database file is empty (0 bytes), as no database is: put a backup in its place, or delete it to"
                " begin anew"
            )
        # What is immutable is read without a lock, and no file is left beside it; but the log is not read. Where there
        # is one, it is recovered.
        options = "mode=ro" if self._log.exists() and _size_of(self._log) else "mode=ro&immutable=1"
        uri = f"{self.path.absolute().as_uri()}?{options}"
        with translating(), closing(sqlite3.connect(uri, uri=True, timeout=self.busy_timeout)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name for (name,) in names if not name.startswith("sqlite_")}

    def _is_moved(self) -> bool:
        return self._identity is not None and _identity_of(self.path) != self._identity

    def _is_log_gone(self) -> bool:
        return self._has_log and not os.path.exists(self._log)  # noqa: PTH110 - asked for each commit, and far cheaper


_LOG_GONE = (
    "The log of the database file (-wal) was moved or deleted under the server: "
    "whoever runs it has to stop the server, which saves what is in it, and start it again"
)

_MOVED = (
    "The database file was moved, deleted or replaced under the server: "
    "whoever runs it has to put it back, or to start the server again"
)


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - asked for each block, and far cheaper
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _size_of(path: Path) -> int:
    with translating():
        return path.stat().st_size


def _make(path: Path) -> None:
    """An empty database, whole or not at all: whoever comes while it is being made, or after a crash in the middle,
    would find a file of 0 bytes. Never in the place of one that another process has made."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with translating(), closing(sqlite3.connect(temporary)) as connection:
            connection.execute("PRAGMA journal_mode = WAL").close()
        path.hardlink_to(temporary)
    except OSError:
        pass  # another process was faster, or the file system has no hard links, and SQLite makes it in its place
    finally:
        temporary.unlink(missing_ok=True)

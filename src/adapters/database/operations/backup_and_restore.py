"""Backups of a SQLite file: made while it is written to, checked, and put back, by SQLite's backup API.

Everything here blocks, and stops between two steps when it takes too long or when somebody presses Ctrl+C. Raises
`StorageError`, its `DeadlineExceeded` and `StorageFull`, and `SchemaOutOfDate`, with sentences for whoever asked.
"""

import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from ....domain.errors import DeadlineExceeded, StorageError, StorageFull
from .schema import require_known
from .sqlite_snapshot import code_of, fix_snapshot, open_file, revision_of, sqlite_may_fail

Progress = Callable[[int, int], None]  # pages that are done, and all of them

_PAGES_AT_ONCE = 256
_OPERATIONS_AT_ONCE = 100_000  # of SQLite's virtual machine: some milliseconds


def back_up(
    database: Path, file: Path, *, overwrite: bool, busy_timeout: float, timeout: float, progress: Progress
) -> str:
    """Write all that is committed in `database` now to `file`, and tell its revision. Times in seconds.

    `file` is a database of its own, without a -wal, that its owner alone can read; it gets its name when it has been
    checked and is on the disk.
    """
    until = time.monotonic() + timeout
    target = file.resolve()  # of a link, what it points to is replaced
    _refuse_target(target, database, overwrite=overwrite)
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with _files_may_fail(file):
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(open_file(database, busy_timeout)) as source:
            with sqlite_may_fail(database):
                source.execute("PRAGMA journal_mode = WAL")  # as the server has it: nobody waits for who reads
                fix_snapshot(source)
            with closing(open_file(unfinished, busy_timeout)) as copy:
                # It is nobody's before it has its name: what a crash leaves is not used.
                copy.execute("PRAGMA journal_mode = OFF")
                copy.execute("PRAGMA synchronous = OFF")
                _copy(source, copy, until, progress, f"{database} cannot be copied to {file}")
        with closing(open_file(unfinished, busy_timeout)) as copy, sqlite_may_fail(file):
            copy.execute("PRAGMA journal_mode = DELETE")  # the copy says WAL too, and would leave files beside it
            revision = _check(copy, database, until)
        with _files_may_fail(file):
            _to_disk(unfinished)
            _refuse_target(target, database, overwrite=overwrite)
            unfinished.replace(target)
            with suppress(OSError):  # not every file system lets a folder be written out
                _to_disk(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    return revision


def restore(
    file: Path, database: Path, *, overwrite: bool, busy_timeout: float, timeout: float, progress: Progress
) -> str:
    """Let `database` hold what `file` holds, all or nothing, and tell its revision. Times in seconds.

    It is one transaction of SQLite's, so whoever is killed in the middle leaves what was there before, and nothing of
    an old -wal is left to be replayed. The lock that it takes nobody gets while a server has the file open, idle or
    not; `overwrite` does not change that.
    """
    until = time.monotonic() + timeout
    if database.exists() and file.exists() and database.samefile(file):
        raise StorageError(f"{file} is the database itself")
    with closing(open_file(file, busy_timeout)) as backup:
        with sqlite_may_fail(file):
            fix_snapshot(backup)  # what is checked is what is copied
            revision = _check(backup, file, until)
        with _files_may_fail(database), _alone(database, busy_timeout) as live:
            if not overwrite:
                _refuse_to_lose(live, database)
            _copy(backup, live, until, progress, f"{file} cannot be restored to {database}")
    return revision


def _refuse_target(target: Path, database: Path, *, overwrite: bool) -> None:
    if target.exists():
        if database.exists() and target.samefile(database):
            raise StorageError(f"{target} is the database itself")
        if not target.is_file():
            raise StorageError(f"{target} is not a file")
        if not overwrite:
            raise StorageError(f"{target} exists: name another file, or replace it with --force")
    for suffix in ("-wal", "-journal"):
        # SQLite would replay it onto the backup.
        if (beside := target.with_name(target.name + suffix)).exists():
            raise StorageError(f"{beside} belongs to a database of this name: name another file")


@contextmanager
def _alone(database: Path, busy_timeout: float) -> Iterator[sqlite3.Connection]:
    """The database file, with nobody else in it until the end of the block. One that was not there is taken away again
    by an error."""
    database.parent.mkdir(parents=True, exist_ok=True)
    is_new = not database.exists()
    with closing(open_file(database, busy_timeout, mode="rwc")) as live:
        try:
            with sqlite_may_fail(database):
                # In exclusive mode the lock is that of the whole file, which in WAL mode every connection shares that
                # has read once; and it is kept (sqlite.org/pragma.html#pragma_locking_mode).
                live.execute("PRAGMA locking_mode = EXCLUSIVE")
                live.execute("BEGIN EXCLUSIVE")
                live.execute("COMMIT")
            with suppress(sqlite3.DatabaseError):  # a damaged schema; and mostly it is the default
                live.execute("PRAGMA synchronous = FULL")
            yield live
        except BaseException:
            if is_new:
                database.unlink(missing_ok=True)
            raise


def _refuse_to_lose(live: sqlite3.Connection, database: Path) -> None:
    remedy = "replace all that it holds with --force"
    try:
        tables = {name for (name,) in live.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "users" in tables and live.execute("SELECT EXISTS (SELECT 1 FROM users)").fetchone()[0]:
            raise StorageError(f"{database} has users: {remedy}")
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{database} is damaged ({error}): {remedy}") from error
    if "users" not in tables and (tables := {name for name in tables if not name.startswith(("sqlite_", "alembic_"))}):
        raise StorageError(f"{database} is not Steward's, it holds {', '.join(sorted(tables))}: {remedy}")


def _copy(
    source: sqlite3.Connection, target: sqlite3.Connection, until: float, progress: Progress, failed: str
) -> None:
    def step(_: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)
        if remaining and time.monotonic() > until:  # the last step has committed
            raise _too_long()

    try:
        source.backup(target, pages=_PAGES_AT_ONCE, progress=step)
    except sqlite3.Error as error:
        kind = StorageFull if code_of(error) == "SQLITE_FULL" else StorageError
        raise kind(f"{failed}: {error}") from error


def _check(connection: sqlite3.Connection, path: Path, until: float) -> str:
    """The revision of a whole database of ours. `path` is what is named where it is not."""
    revision = revision_of(connection, path)
    require_known(revision)
    connection.set_progress_handler(lambda: time.monotonic() > until, _OPERATIONS_AT_ONCE)
    try:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.OperationalError as error:
        if code_of(error) != "SQLITE_INTERRUPT":
            raise
        if time.monotonic() > until:
            raise _too_long() from error
        raise KeyboardInterrupt from error  # Python drops what its own handler of the signal raised in ours
    finally:
        connection.set_progress_handler(None, 0)
    if found != "ok":
        raise StorageError(f"{path} is damaged: {found}")
    if broken is not None:
        raise StorageError(f"{path} is damaged: a row of {broken[0]} refers to one of {broken[2]} that is not there")
    return revision


@contextmanager
def _files_may_fail(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def _too_long() -> DeadlineExceeded:
    return DeadlineExceeded("It takes longer than STEWARD_BACKUP_TIMEOUT allows: nothing has changed")


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

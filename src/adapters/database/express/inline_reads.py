"""Small statements on a SQLite file, on the thread of the event loop."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..drivers.sqlite_file import DatabaseFile

LONGEST = 0.002  # seconds, for which the event loop does nothing else
_LOOK_EVERY = 1_000  # instructions of SQLite's virtual machine
_PAUSE = 1_000  # executions of a statement that has taken too long, before it is tried here again
_SHORT_PAUSE = 10  # of one that only had to wait, for the processor or for the disk
_SLOW = 500  # such statements that are remembered


class Limited:
    """A row by its key takes SQLite 20 µs; to have a thread read it, and to be told, takes more than ten times as much
    (ADR 0027). So it is read here, and what turns out to take longer is given up and left to a thread.
    """

    def __init__(self) -> None:
        self._ends_at = 0.0
        self._slow: dict[str, int] = {}

    async def fetch(
        self, connection: sqlite3.Connection, sql: str, arguments: Sequence[Any], *, writes: bool = False
    ) -> list[Any] | None:
        """All rows, or None if a thread has to read them; nothing has happened then. Raises `sqlite3.Error`.

        What writes is not given up: SQLite would roll the whole transaction back. Its bound is known (`short_writes`);
        one that takes longer all the same is left to a thread from then on.
        """
        await asyncio.sleep(0)  # others have their turn, and the task can be cancelled
        if self._is_slow(sql):
            return None
        used = time.thread_time()
        self._ends_at = time.perf_counter() + LONGEST
        if writes:
            rows = _fetched(connection, sql, arguments)
            if self._is_over():
                self._remember_slow(sql, used)
            return rows
        connection.set_progress_handler(self._is_over, _LOOK_EVERY)
        try:
            return _fetched(connection, sql, arguments)
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorname", "") != "SQLITE_INTERRUPT":
                raise
            self._remember_slow(sql, used)
            return None
        finally:
            connection.set_progress_handler(None, 0)

    def _is_over(self) -> bool:
        return time.perf_counter() > self._ends_at

    def _is_slow(self, sql: str) -> bool:
        left = self._slow.get(sql, 0)
        if left:
            self._slow[sql] = left - 1
        return left > 0

    def _remember_slow(self, sql: str, used: float) -> None:
        # On a busy machine any statement can be interrupted for longer than that, and is as short as ever.
        is_long = time.thread_time() - used >= LONGEST / 2
        if len(self._slow) >= _SLOW:
            self._slow.clear()
        self._slow[sql] = _PAUSE if is_long else _SHORT_PAUSE


def _fetched(connection: sqlite3.Connection, sql: str, arguments: Sequence[Any]) -> list[Any]:
    cursor = connection.execute(sql, arguments)
    try:
        return cursor.fetchall()
    finally:
        cursor.close()


class InlineReads:
    """Outside a transaction, on one connection of its own, which never waits for a lock. `connect` opens it.

    Whatever goes wrong is left to a thread, too: such a read can be done twice.
    """

    def __init__(self, file: DatabaseFile, connect: Callable[[], sqlite3.Connection]) -> None:
        self._file = file
        self._connect = connect
        self._limited = Limited()
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any] | None:
        """All rows, or None if they have to be read by a thread. Raises `DatabaseUnavailable` if the file is no longer
        where it was."""
        try:
            if self._connection is None:
                self._connection = self._opened()
            self._file.refuse_if_moved()
            return await self._limited.fetch(self._connection, sql, arguments)
        except (sqlite3.Error, OverflowError, UnicodeEncodeError):
            return None

    def close(self) -> None:
        """For ever."""
        self._is_closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _opened(self) -> sqlite3.Connection:
        if self._is_closed:
            raise sqlite3.ProgrammingError("closed")
        return self._connect()

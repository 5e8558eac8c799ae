"""Everything that is odd about SQLite and aiosqlite, each line with its reason."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import aiosqlite
from sqlalchemy import URL

from ...unit_of_work.completion import run_to_completion
from .sqlite_file import DatabaseFile

_INTERRUPT_AGAIN = 0.01  # seconds

Result = TypeVar("Result")


class _Interruptions:
    """Of one call, again and again: one that comes before the thread has begun the statement hits nothing. A call that
    stands before it in the thread's queue may end meanwhile, and must not end them."""

    def __init__(self, connection: "CancellationSafeConnection") -> None:
        self._connection = connection
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self.end()  # or a second cause, the timeout after a cancellation, would begin a second series
        if self._connection._connection is not None:  # noqa: SLF001 - aiosqlite's own `interrupt` has to be awaited
            self._connection._connection.interrupt()  # noqa: SLF001
        self._next = asyncio.get_running_loop().call_later(_INTERRUPT_AGAIN, self.begin)

    def end(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None


class CancellationSafeConnection(aiosqlite.Connection):
    """A connection each of whose calls is run to its end, also when the task that waits for it is cancelled.

    aiosqlite leaves the call running in its thread and the task goes on: the statement stays open and holds the
    write lock until the garbage collector comes by (aiosqlite issue 259). Here a cancelled statement is interrupted,
    its end awaited, and the cancellation raised after it. SQLite rolls the whole transaction back when a writing
    statement is interrupted, so the transaction must not go on: see `connection_events`.
    """

    file: DatabaseFile | None = None  # None in memory
    statement_timeout: float | None = None  # seconds, after which a statement is interrupted
    _stopped: asyncio.Future[Any] | None = None

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Inside the block a statement may take as long as it takes."""
        everyday, self.statement_timeout = self.statement_timeout, None
        try:
            yield
        finally:
            self.statement_timeout = everyday

    async def _execute(self, fn: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        return await self._to_its_end(partial(fn, *args, **kwargs), interrupt=False)

    async def _to_its_end(self, call: Callable[[], Result], *, interrupt: bool) -> Result:
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Result] = loop.create_future()
        self._tx.put_nowait((done, call))
        cancelled: asyncio.CancelledError | None = None
        interruptions = _Interruptions(self)
        patience = None
        if interrupt and self.statement_timeout is not None:
            patience = loop.call_later(self.statement_timeout, interruptions.begin)
        try:
            while not done.done():
                try:
                    await asyncio.shield(done)
                except asyncio.CancelledError as error:
                    cancelled = cancelled or error
                    if interrupt:
                        interruptions.begin()
                except BaseException:  # noqa: S110 - it is the call's own, and raised below
                    pass
        finally:
            if patience is not None:
                patience.cancel()
            interruptions.end()
        if cancelled is not None:
            done.exception()  # whatever became of it, the caller has gone
            raise cancelled
        return done.result()

    async def _connect(self) -> Self:
        try:
            await run_to_completion(super()._connect())
        except asyncio.CancelledError:
            await self.close()  # nobody else knows of it
            raise
        except Exception:
            if self._stopped is not None:  # its thread tells the event loop so, which must still be there
                await run_to_completion(asyncio.wait((self._stopped,)))
            raise
        return self

    def stop(self) -> asyncio.Future[Any] | None:
        # What a second one queues would never be run: the first has ended the thread.
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped

    async def close(self) -> None:
        # The thread closes the connection as its last deed, so this and `stop` do not get in each other's way.
        if self._connection is not None and (stopped := self.stop()) is not None:
            await run_to_completion(asyncio.wait((stopped,)))
            stopped.result()

    def cursor(self) -> "BufferedCursor":  # type: ignore[override]
        return BufferedCursor(self)

    async def fetch(self, sql: str, *parameters: Any) -> list[Any]:
        """All rows of a statement, in one call of the thread: as asyncpg's connections do it."""
        cursor = await self.cursor().execute(sql, parameters)
        return await cursor.fetchall()

    async def commit(self) -> None:
        """Raises `DatabaseUnavailable` or `OutcomeUnknown` if the file is no longer where it was: what was committed
        would be found by nobody."""
        if self.file is None:
            await super().commit()
        else:
            await self._execute(self._commit_to, self.file)

    def _commit_to(self, file: DatabaseFile) -> None:
        file.refuse_if_moved()
        file.refuse_if_log_is_gone()
        self._conn.commit()
        file.unknown_if_moved()

    async def rollback(self) -> None:
        # SQLAlchemy rolls back whenever a connection returns to the pool: no need to ask the thread for nothing.
        if self._connection is not None and self._connection.in_transaction:
            await super().rollback()


class BufferedCursor:
    """A cursor that executes and fetches in one call, so that no statement is ever left half read.

    A SELECT or a RETURNING that is left half read keeps its lock. All rows are held in memory, also for what
    SQLAlchemy streams.
    """

    arraysize = 1

    def __init__(self, connection: CancellationSafeConnection) -> None:
        self._connection = connection
        self._rows: deque[Any] = deque()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> "BufferedCursor":
        return await self._run(lambda cursor: cursor.execute(sql, parameters))  # type: ignore[arg-type]

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> "BufferedCursor":
        return await self._run(lambda cursor: cursor.executemany(sql, parameters))  # type: ignore[arg-type]

    async def _run(self, statement: Callable[[sqlite3.Cursor], object]) -> "BufferedCursor":
        connection = self._connection._conn  # noqa: SLF001 - what aiosqlite's own cursor uses

        def call() -> list[Any]:
            cursor = connection.cursor()
            try:
                statement(cursor)
                self.description = cursor.description
                rows = cursor.fetchall() if cursor.description else []
                self.rowcount = cursor.rowcount
                self.lastrowid = cursor.lastrowid
                return rows
            finally:
                cursor.close()

        self._rows = deque(await self._connection._to_its_end(call, interrupt=True))  # noqa: SLF001
        return self

    async def fetchone(self) -> Any:
        return self._rows.popleft() if self._rows else None

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        wanted = self.arraysize if size is None else size
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    async def fetchall(self) -> list[Any]:
        rows = list(self._rows)
        self._rows.clear()
        return rows

    def __aiter__(self) -> "BufferedCursor":
        return self

    async def __anext__(self) -> Any:
        if not self._rows:
            raise StopAsyncIteration
        return self._rows.popleft()

    async def close(self) -> None:
        self._rows.clear()


def is_in_memory(url: URL) -> bool:
    return url.database in (None, "", ":memory:")


def refuse_options(url: URL) -> None:
    """Our own `connector` opens the database and looks at its path alone: the rest would be dropped in silence."""
    if url.query or (url.database or "").startswith("file:"):
        raise ValueError(
            "A SQLite URL is sqlite+aiosqlite:///<path>, or sqlite+aiosqlite:///:memory:, without options and not file:"
        )


def connect(database: str | DatabaseFile, *, read_only: bool, busy_timeout: float) -> sqlite3.Connection:
    """To a file, or to the name of a database in memory. It may be used by any thread, one at a time."""
    file, name = (database, "") if isinstance(database, DatabaseFile) else (None, database)
    if file is not None:
        file.check_before_opening()
    # isolation_level None: no BEGIN of the driver's own. Its default never begins for a SELECT, so that a
    # read-modify-write loses updates, and breaks SAVEPOINT.
    connection = sqlite3.connect(
        file.path if file is not None else name,
        uri=file is None,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_timeout,
    )
    try:
        for pragma in _pragmas(read_only=read_only):
            connection.execute(pragma).close()
        if file is not None:
            file.opened()
    except BaseException:
        connection.close()
        raise
    return connection


def connector(
    database: str | DatabaseFile, *, read_only: bool, busy_timeout: float, statement_timeout: float
) -> Callable[..., Awaitable[Any]]:
    """What opens a connection for SQLAlchemy (`async_creator_fn`): to a file, or to the name of a database in memory.
    Timeouts in seconds."""
    file = database if isinstance(database, DatabaseFile) else None
    open_database = partial(connect, database, read_only=read_only, busy_timeout=busy_timeout)

    def open_connection(*_: object, **__: object) -> Awaitable[Any]:
        connection = CancellationSafeConnection(open_database, iter_chunk_size=64)
        connection.file = file
        connection.statement_timeout = statement_timeout
        # A connection that nobody closed must not keep the process from ending.
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does for connections it opens itself
        return connection

    return open_connection


def _pragmas(*, read_only: bool) -> Iterator[str]:
    yield "PRAGMA journal_mode = WAL"  # readers and the writer do not wait for each other
    yield "PRAGMA synchronous = FULL"  # NORMAL may lose acknowledged commits when the power fails
    yield "PRAGMA foreign_keys = ON"  # off by default
    if read_only:
        yield "PRAGMA query_only = ON"

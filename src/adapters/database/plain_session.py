"""Plain sessions: the `AsyncSession` of `Database.session()` and `Database.reader()`."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from sqlalchemy.exc import IntegrityError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession, AsyncSessionTransaction
from sqlalchemy.orm.exc import StaleDataError

from ...domain.errors import ConcurrentUse, OutcomeUnknown, TransactionAborted
from ...service_layer import deadline, tally
from ..unit_of_work.completion import run_to_completion
from ..unit_of_work.one_task import OneTask
from ..unit_of_work.transaction import TransactionMode
from .connection_events import AT_ONCE
from .drivers.lost_connections import abort
from .drivers.pooled_connections import driver_lock
from .engines import Engines
from .error_translation import raise_translated
from .session_connection import SessionWithConnection, TransactionMemory


class OneTaskSession(AsyncSession):
    """An `AsyncSession` that refuses a second task instead of mixing two tasks' statements.

    SQLAlchemy makes such tasks take turns, but a rollback under the other's running statement leaves a pooled
    connection broken for its next user (asyncpg issue 978).
    """

    sync_session_class = SessionWithConnection
    sync_session: SessionWithConnection  # pyright: ignore[reportIncompatibleVariableOverride] - made of the class above

    def __init__(self, engines: Engines, mode: TransactionMode) -> None:
        # expire_on_commit: attributes read after a commit must not need the database. close_resets_only: a session that
        # is used after its block must not take a connection that is never returned.
        super().__init__(autoflush=False, expire_on_commit=False, close_resets_only=False)
        self.one_task = OneTask()
        self.concurrent_use = False
        self.stored = False  # whether the last commit, if there was something to commit, was carried out
        self._engines = engines
        self.sync_session.memory = TransactionMemory()
        self._use(mode)

    def _use(self, mode: TransactionMode) -> None:
        self.reads_only = mode is TransactionMode.READING
        self.sync_session.admission = self._engines.admission(mode)
        self.bind = self._engines.engine(mode)
        self.sync_session.bind = self.bind.sync_engine

    async def allow_writing(self) -> None:
        """Make a reader a session that writes. What it has read stays in it."""
        if self.reads_only:
            self.sync_session.memory.failure = None  # a failed read has nothing to be committed
            await self.commit()  # a rollback would expire what was read
            self._use(TransactionMode.WRITING)

    @property
    def driver_lock(self) -> asyncio.Lock | None:
        """What a running statement or fetch holds, also that of `awaitable_attrs`, a stream or the connection."""
        return driver_lock(self.sync_session.in_use)

    def abandon(self) -> None:
        abort(self.sync_session.in_use)

    async def enter(self) -> None:
        """Before a connection is wanted; it is had until the transaction ends. Raises `Overloaded`."""
        await self.sync_session.enter()

    def leave(self, *, for_good: bool = False) -> None:
        if for_good or not self.in_transaction():
            self.sync_session.leave()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        occupant = self.one_task.occupant
        if occupant is asyncio.current_task():
            yield  # one method of the session calling another
        elif occupant is not None or ((lock := self.driver_lock) is not None and lock.locked()):
            self.concurrent_use = True
            raise ConcurrentUse("Another task is inside this session: give each task a session of its own")
        else:
            with self.one_task:
                yield

    async def commit(self) -> None:
        """Awaited to its end also when the task is cancelled. Raises `TransactionAborted` if the error of a statement
        was swallowed, `OutcomeUnknown` if the connection broke, or if the task was cancelled and COMMIT carried out."""
        with self.alone():
            self.sync_session.refuse_if_closed()
            await self.commit_by(super().commit())

    async def commit_by(self, work: Coroutine[Any, Any, None]) -> None:
        began = self.in_transaction()
        self.stored = self.sync_session.memory.is_committing = False

        async def carry_out() -> None:
            try:
                self.sync_session.memory.refuse_commit_if_failed()
            except TransactionAborted:
                work.close()
                raise
            await work
            self.stored = began
            if began:
                tally.count_commit()

        try:
            with self.cancellation_after_commit(), deadline.committing():
                await run_to_completion(carry_out(), abandon=self.abandon)
                self.leave()
        except PendingRollbackError as error:  # a failed flush or commit, or a connection that was lost
            raise TransactionAborted("The transaction had failed and can only be rolled back") from error
        except IntegrityError:  # the caller's own tables and constraints, in the words that they know
            raise
        except Exception as error:
            raise_translated(error, committing=self.sync_session.memory.is_committing)

    @contextlib.contextmanager
    def cancellation_after_commit(self) -> Iterator[None]:
        try:
            yield
        except asyncio.CancelledError as error:
            if self.stored:
                # A deadline that became a plain "timed out" here would say that nothing had happened.
                raise OutcomeUnknown("Cancelled during COMMIT: it may be stored") from error
            raise

    async def rollback(self) -> None:
        """Awaited to its end also when the task is cancelled: a torn ROLLBACK costs the connection."""
        with self.alone():
            await run_to_completion(super().rollback(), abandon=self.abandon)
            self.leave()

    async def close(self) -> None:
        """Rolls back. The session is of no use afterwards."""
        with self.alone():
            await run_to_completion(super().close(), abandon=self.abandon)
            self.sync_session.is_closed = True
            self.leave()

    async def __aexit__(self, type_: Any, value: Any, traceback: Any) -> None:
        """Closes, as `async with session` does, unless that would lose work without a word."""
        if type_ is None and self.in_transaction() and self.sync_session.has_work:
            raise TransactionAborted(
                "`async with session` closes the session before its work is committed: call `await session.commit()` "
                "in it, or leave it out, because the block of `database.session()` commits"
            )
        await self.close()

    async def reset(self) -> None:
        with self.alone():
            await run_to_completion(super().reset(), abandon=self.abandon)
            self.leave()

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """A reader fetches all rows at once: PostgreSQL streams inside a transaction only, and a reader has none."""
        if self.reads_only:
            kwargs["execution_options"] = {**(kwargs.get("execution_options") or {}), **AT_ONCE}
            return AsyncResult(await self.execute(*args, **kwargs))
        with self.alone():
            await self.enter()
            result: AsyncResult[Any] = await super().stream(*args, **kwargs)
            return result

    async def finish(self) -> None:
        """End a block that succeeded."""
        if self.sync_session.is_closed:
            return
        if self.reads_only:  # a failed SELECT has nothing to be committed; but what was added is a write
            await self.flush()
        else:
            await self.commit()

    def begin(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self)

    def begin_nested(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self, nested=True)


class _OneTaskTransaction(AsyncSessionTransaction):
    """What `begin` and `begin_nested` give; it too lets one task in at a time."""

    session: OneTaskSession  # pyright: ignore[reportIncompatibleVariableOverride] - it makes these, and nothing else does

    async def start(self, is_ctxmanager: bool = False) -> AsyncSessionTransaction:
        with self.session.alone():
            await self.session.enter()
            return await run_to_completion(super().start(is_ctxmanager))

    async def commit(self) -> None:
        with self.session.alone():
            await self._end(super().commit(), commits=True)

    async def rollback(self) -> None:
        with self.session.alone():
            await self._end(super().rollback(), commits=False)

    async def __aexit__(self, type_: Any, value: Any, traceback: Any) -> None:
        with self.session.alone():
            await self._end(super().__aexit__(type_, value, traceback), commits=type_ is None)

    async def _end(self, work: Coroutine[Any, Any, None], *, commits: bool) -> None:
        if commits and not self.nested:
            await self.session.commit_by(work)
        else:
            await run_to_completion(work, abandon=self.session.abandon)
            self.session.leave()


def _guarded(name: str) -> Callable[..., Any]:
    method = getattr(AsyncSession, name)

    @functools.wraps(method)
    async def guarded(self: OneTaskSession, *args: Any, **kwargs: Any) -> Any:
        with self.alone():
            await self.enter()
            try:
                return await method(self, *args, **kwargs)
            except StaleDataError as error:  # Python's: the statement has succeeded
                self.sync_session.memory.statement_failed(error, heals=False)
                raise

    return guarded


for _name in (
    "connection",
    "delete",
    "delete_all",
    "execute",
    "flush",
    "get",
    "get_one",
    "invalidate",
    "merge",
    "merge_all",
    "refresh",
    "run_sync",
    "scalar",
    "scalars",
    "stream_scalars",
):
    setattr(OneTaskSession, _name, _guarded(_name))

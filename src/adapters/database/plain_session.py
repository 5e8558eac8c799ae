"""The plain answer to the old question: a session that works in `async with` and in `Depends` alike."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import IllegalStateChangeError, IntegrityError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncResult, AsyncSession, AsyncSessionTransaction
from sqlalchemy.util import greenlet_spawn

from ...domain.errors import ConcurrentUse, OutcomeUnknown, TransactionAborted
from ...service_layer import deadline, tally
from ..unit_of_work import open_blocks
from ..unit_of_work.completion import run_to_completion
from ..unit_of_work.one_task import OneTask
from .admission import Admission
from .drivers.lost_connections import abort
from .drivers.pooled_connections import driver_lock
from .error_translation import raise_translated
from .session_connection import SessionWithConnection

_LOOKS, _LOOK_AGAIN = 1000, 0.01  # how often, and after how many seconds


class OneTaskSession(AsyncSession):
    """An `AsyncSession` that refuses a second task instead of mixing two tasks' statements.

    SQLAlchemy makes such tasks take turns, but a rollback under the other's running statement leaves a pooled
    connection broken for its next user (asyncpg issue 978).
    """

    sync_session_class = SessionWithConnection
    sync_session: SessionWithConnection

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.one_task = OneTask()
        self.concurrent_use = False
        self.is_closed = False
        self.lost_work = False
        self.stored = False  # whether the last commit, if there was something to commit, was carried out
        self.admission: Admission | None = None
        self._is_admitted = False

    def __del__(self) -> None:  # as `SessionTransaction.__del__`
        if self.admission is not None and self._is_admitted:
            self._is_admitted = False
            self.admission.leave_from_garbage()

    @property
    def driver_lock(self) -> asyncio.Lock | None:
        """What a running statement or fetch holds, also that of `awaitable_attrs`, a stream or the connection."""
        return driver_lock(self.sync_session.in_use)

    def abandon(self) -> None:
        abort(self.sync_session.in_use)

    async def enter(self) -> None:
        """Before a connection is wanted; it is had until the transaction ends. Raises `Overloaded`."""
        if self.admission is not None and not self._is_admitted:
            await self.admission.enter()
            self._is_admitted = True

    def leave(self, *, for_good: bool = False) -> None:
        if self.admission is not None and self._is_admitted and (for_good or not self.in_transaction()):
            self._is_admitted = False
            self.admission.leave()
        if for_good:
            self.admission = None

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
            await self.commit_by(super().commit())

    async def commit_by(self, work: Coroutine[Any, Any, None]) -> None:
        began = self.in_transaction()
        self.stored = self.sync_session.memory.is_committing = False

        async def carry_out() -> None:
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
        """Rolls back. A block may do it early, after a commit of its own."""
        with self.alone():
            self.lost_work = self.lost_work or self.in_transaction()
            await run_to_completion(super().close(), abandon=self.abandon)
            self.is_closed = True
            self.leave()

    async def reset(self) -> None:
        with self.alone():
            self.lost_work = self.lost_work or self.in_transaction()
            await run_to_completion(super().reset(), abandon=self.abandon)
            self.leave()

    async def finish(self) -> None:
        """The end of a block that succeeded."""
        if self.lost_work:
            raise TransactionAborted("The session was closed before its work was committed")
        if not self.is_closed:
            await self.commit()

    def begin(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self)

    def begin_nested(self) -> AsyncSessionTransaction:
        return _OneTaskTransaction(self, nested=True)


class ReaderSession(OneTaskSession):
    async def stream(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """All rows are fetched at once: PostgreSQL streams inside a transaction only, and a reader has none."""
        return AsyncResult(await self.execute(*args, **kwargs))

    async def finish(self) -> None:
        """There is nothing to commit, and no failed SELECT to answer for; but what was added is a write."""
        if not self.is_closed:
            await self.flush()


class _OneTaskTransaction(AsyncSessionTransaction):
    """What `begin` and `begin_nested` give; it too lets one task in at a time."""

    session: OneTaskSession

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
            return await method(self, *args, **kwargs)

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
    "stream",
    "stream_scalars",
):
    setattr(OneTaskSession, _name, _guarded(_name))


@dataclass(slots=True, eq=False)
class _SessionBlock:
    store: object
    is_open: bool = True


@contextlib.asynccontextmanager
async def session_block(session: OneTaskSession, store: object, admission: Admission) -> AsyncIterator[AsyncSession]:
    """Commit on success, roll back on any error or cancellation, close always.

    The error of the block arrives unchanged. A failing commit raises `TransactionAborted` if a statement had failed
    and its error was swallowed, `ConcurrentUse` if another task was still inside, `OutcomeUnknown` if the connection
    broke, and SQLAlchemy's own error otherwise. Raises `AlreadyInTransaction` inside another block on `store`, and
    its first statement `Overloaded` if its turn does not come in time.
    """
    open_blocks.refuse_second(store)
    session.admission = admission
    block = _SessionBlock(store)
    open_blocks.enter(block)
    try:
        try:
            yield session
        except BaseException:
            await run_to_completion(_roll_back(session), abandon=session.abandon)
            raise
        session.stored = False
        with session.cancellation_after_commit():
            await run_to_completion(_commit(session), abandon=session.abandon)
    finally:
        block.is_open = False
        open_blocks.leave(block)
        session.leave(for_good=True)


async def _roll_back(session: OneTaskSession) -> None:
    await session.one_task.until_left()
    connection = session.sync_session.in_use
    if await _until_driver_is_left(session) and connection is not None and not connection.closed:
        # The late task may be about to send its next statement, and must not meet the connection's next user.
        await greenlet_spawn(connection.invalidate)
    for _ in range(_LOOKS):
        try:
            await session.close()  # rolls back
        except (ConcurrentUse, IllegalStateChangeError):  # one more task came in, past the session's methods
            await asyncio.sleep(_LOOK_AGAIN)
        except Exception:  # the connection was lost, and with it the transaction
            break
        else:
            return
    await AsyncSession.invalidate(session)  # also if somebody is inside again: not to be refused here


async def _until_driver_is_left(session: OneTaskSession) -> bool:
    """Wait for a statement that runs past the session's methods. Says whether there was one."""
    lock = session.driver_lock
    if lock is None or not lock.locked():
        return False
    session.concurrent_use = True
    async with lock:
        return True


async def _commit(session: OneTaskSession) -> None:
    try:
        lock = session.driver_lock
        if session.concurrent_use or session.one_task.occupant is not None or (lock is not None and lock.locked()):
            raise ConcurrentUse("Another task was inside the session: nothing is committed")
        await session.finish()
    finally:
        await _roll_back(session)

"""The block of a plain session: it commits, or rolls back, and closes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sqlalchemy.exc import IllegalStateChangeError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import greenlet_spawn

from ...domain.errors import ConcurrentUse
from ..unit_of_work import open_blocks
from ..unit_of_work.completion import run_to_completion
from ..unit_of_work.transaction import TransactionMode
from .engines import Engines
from .plain_session import OneTaskSession

_LOOKS = 1000
_LOOK_AGAIN = 0.01  # seconds


@dataclass(slots=True, eq=False)
class _SessionBlock:
    store: object
    is_open: bool = True


@contextlib.asynccontextmanager
async def session_block(engines: Engines, mode: TransactionMode, store: object) -> AsyncIterator[OneTaskSession]:
    """Commit on success, roll back on an error or a cancellation, close always.

    The error of the block arrives unchanged.

    Args:
        engines: What the session connects by.
        mode: WRITING or READING.
        store: The database, of which a task has one block at a time.

    Raises:
        AlreadyInTransaction: Inside another block on `store`.
        Overloaded: By the first statement, if its turn does not come in time.
        TransactionAborted: By the commit, if a statement had failed and its error was swallowed.
        ConcurrentUse: By the commit, if another task was still inside.
        OutcomeUnknown: By the commit, if the connection broke, or the task was cancelled and the COMMIT carried out.
        SQLAlchemyError: By the commit, if it failed otherwise.
    """
    open_blocks.refuse_second(store)
    session = OneTaskSession(engines, mode)
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
        session.sync_session.is_closed = True
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
    await AsyncSession.invalidate(session)  # past the guard: a task that is inside again must not keep it from that


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

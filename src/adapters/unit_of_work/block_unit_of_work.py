"""The unit of work over any backend: how blocks nest, fail and end is written here once, for all backends.

A backend brings a `Transaction`, which knows how to begin, commit and roll back, and repositories whose
methods are marked `@reads` or `@writes`. Everything that the port promises beyond that is kept by `BlockUnitOfWork`,
and so the in-memory backend behaves as the databases do.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ...domain.errors import (
    ConcurrentUse,
    Conflict,
    NotInTransaction,
    OutcomeUnknown,
    ReadOnly,
    TransactionAborted,
    UnitOfWorkError,
)
from ...service_layer import deadline, tally
from ..clock import FrozenTime
from . import open_blocks
from .blocks import Block, BlockExit, BlockExits, BlockKind, InnerBlock
from .completion import run_to_completion
from .statement_guard import StatementGuard
from .transaction import Transaction, TransactionMode

Result = TypeVar("Result")


class BlockUnitOfWork(StatementGuard):
    """A `UnitOfWork` on one `Transaction` after the other; `store` is the database that they belong to."""

    def __init__(self, store: object, transaction: Transaction, clock: Callable[[], datetime]) -> None:
        super().__init__(store)
        self._store = store
        self._transaction = transaction
        self._clock = clock
        self._now: datetime | None = None
        self.entering: BlockExit | None = None  # of the `async with` that is being entered
        self._frozen_time = FrozenTime(clock)

    @property
    def is_open(self) -> bool:
        return bool(self._blocks)

    @property
    def now(self) -> datetime:
        if self._now is None:
            raise NotInTransaction("The time of a unit of work is drawn when its block is entered")
        return self._now

    def freeze_time(self) -> AbstractContextManager[None]:
        return self._frozen_time

    # Entering

    async def __aenter__(self) -> Self:
        exit_, self.entering = self.entering, None
        block = await self.enter(BlockKind.WRITING)
        if exit_ is not None:
            exit_.block = block
        return self

    if TYPE_CHECKING:  # a type checker takes no descriptor for the port's method

        async def __aexit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None: ...
    else:
        __aexit__ = BlockExits()

    def reading(self, *, snapshot: bool = False) -> AbstractAsyncContextManager[Self]:
        return InnerBlock(self, BlockKind.READING, snapshot=snapshot)

    def savepoint(self) -> AbstractAsyncContextManager[Self]:
        return InnerBlock(self, BlockKind.SAVEPOINT)

    async def enter(self, kind: BlockKind, *, snapshot: bool = False) -> Block:
        pinned = False
        if not self._blocks:
            pinned = kind is BlockKind.READING and snapshot
            await self._begin(
                kind,
                TransactionMode.SNAPSHOT
                if pinned
                else TransactionMode.READING
                if kind is BlockKind.READING
                else TransactionMode.WRITING,
            )
        else:
            around = self._blocks.current()
            if self._transaction.is_pending:  # it belongs to the block around
                await self._flush()
            if kind is not BlockKind.READING and around.kind is BlockKind.READING:
                raise ReadOnly("A block that writes cannot stand inside reading()")
            if kind is BlockKind.SAVEPOINT:
                await self._between_blocks(self._transaction.savepoint)
            elif snapshot and self._blocks.can_pin:
                await self._between_blocks(self._transaction.pin_snapshot)
                pinned = True
        return self._blocks.enter(kind, pinned=pinned)

    async def _begin(self, kind: BlockKind, mode: TransactionMode) -> None:
        if kind is BlockKind.SAVEPOINT:
            raise NotInTransaction("A savepoint stands inside a block that writes")
        if open_blocks.innermost() is not None:
            open_blocks.refuse_second(self._store)
            self._blocks.refuse_late_task()
        if self._one_task.occupant is not None:
            raise ConcurrentUse("Another task is entering this unit of work")
        with self._one_task:
            try:
                await self._transaction.begin(mode)
                # Not before: who has waited for the writer's turn is later than those who had it.
                self._now = self._frozen_time.time or self._clock()
            except BaseException:
                await self._run_step(self._transaction.end())
                raise

    # Committing

    async def commit(self) -> None:
        block = self._blocks.current()
        if block.kind is BlockKind.READING:
            raise ReadOnly("There is nothing to commit inside reading()")
        if block.kind is BlockKind.SAVEPOINT:
            raise NotInTransaction("A savepoint has no commit: leaving it keeps its work")
        self._refuse_if_busy()
        self._blocks.refuse_if_failed()
        if self._blocks.is_outermost(block):
            with self._one_task:
                await self._commit_outermost(block)
        elif self._transaction.is_pending:
            block.wrote = True
            await self._flush()
        block.committed = True

    async def _commit_outermost(self, block: Block) -> None:
        try:
            with deadline.committing():
                await self._run_step(self._commit_and_end(block))
        except BaseException as error:
            if not block.committed:
                self._blocks.rollback_only_cause = error
            elif isinstance(error, asyncio.CancelledError):
                # It is stored, and a cancelled task gets no answer. A deadline that became a plain "timed out" here
                # would say that nothing had happened.
                raise OutcomeUnknown("Cancelled during COMMIT: it may be stored") from error
            raise

    async def _commit_and_end(self, block: Block) -> None:
        await self._transaction.commit()
        block.committed = True
        tally.count_commit()
        await self._transaction.end()

    # Leaving

    async def leave(self, block: Block | None, error: BaseException | None) -> None:
        """Leave `block`, or the innermost `async with uow` of the running task."""
        block = block or self._blocks.innermost_plain()
        refusal: UnitOfWorkError | None = None
        try:
            if not block.is_open:
                refusal = ConcurrentUse("The block around this one was left before it: nothing is committed")
            else:
                if self._one_task.occupant is not None or not self._blocks.is_innermost(block):
                    refusal = self._blocks.concurrent_use(
                        "The block was left while a block inside it was still open: of another task, or of a "
                        "generator that was not closed (contextlib.aclosing)"
                    )
                elif self._transaction.is_pending and not block.committed:
                    refusal = self._leave_pending(block)
                if not self._blocks.is_outermost(block):
                    await self._rejoin(block, error)
                elif await self._end(block):
                    refusal = None  # what was still going on was the commit itself
        except asyncio.CancelledError:
            if isinstance(error, OutcomeUnknown):  # a cancellation would say that nothing was stored
                raise error  # noqa: B904 - its cause is why the outcome is unknown
            raise
        finally:
            self._blocks.leave(block)
        if refusal is not None and error is None:
            raise refusal

    def _leave_pending(self, block: Block) -> ReadOnly | None:
        """Objects that were added or changed, and not flushed, count as written by the block that is left."""
        if block.kind is not BlockKind.READING:
            block.wrote = True
            return None
        refusal = ReadOnly("Objects were added or changed inside reading(): nothing of it is stored")
        if not self._blocks.is_outermost(block):
            self._blocks.fail(refusal)
        return refusal

    async def _end(self, block: Block) -> bool:
        """End the transaction, and say whether it was committed."""
        try:
            if self._one_task.occupant is None and (block.committed or self._transaction.end_at_once()):
                return block.committed
            await run_to_completion(self._end_alone(), abandon=self._transaction.abort)
        finally:
            self._now = None
        return block.committed

    async def _end_alone(self) -> None:
        # Rolling back under a running statement would leave a pooled connection broken (asyncpg issue 978).
        await self._one_task.until_left()
        with self._one_task:
            await self._transaction.end()

    async def _rejoin(self, block: Block, error: BaseException | None) -> None:
        """What becomes of the transaction when an inner block is left."""
        around = self._blocks.around(block)
        # GeneratorExit: a generator that holds the block was closed, and its caller goes on.
        if isinstance(error, Conflict) or not isinstance(error, (Exception, GeneratorExit, type(None))):
            self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or error
        if block.kind is BlockKind.SAVEPOINT:
            await self._leave_savepoint(block, around, error)
        elif block.kind is BlockKind.READING:
            if block.pinned and self._blocks.rollback_only_cause is None:
                with self._one_task:
                    await self._unbroken(self._transaction.unpin_snapshot())
        else:
            around.wrote = around.wrote or block.wrote
            if error is not None:  # also after its own commit(): the caller sees a failure of what would be stored
                self._blocks.fail(error)
            elif block.wrote and not block.committed:
                self._blocks.fail(NotInTransaction("An inner block wrote, and was left without commit()"))

    async def _flush(self) -> None:
        """Send what is pending. It fails as a statement does."""
        self.begin_statement(writes=False, locks=False)
        try:
            await self._transaction.flush()
        except BaseException as error:
            self.end_statement(error)
            raise
        self.end_statement(None)

    async def _leave_savepoint(self, block: Block, around: Block, error: BaseException | None) -> None:
        if error is None and self._transaction.is_pending:
            try:
                await self._flush()
            except BaseException as failed:
                if self._blocks.rollback_only_cause is None:
                    with self._one_task:
                        await self._roll_back_savepoint(failed)
                raise
        if self._blocks.rollback_only_cause is None:
            with self._one_task:
                if error is None and block.failure is None:
                    await self._unbroken(self._transaction.release_savepoint())
                    around.wrote = around.wrote or block.wrote
                else:
                    await self._roll_back_savepoint(error)
        failure = self._blocks.rollback_only_cause or block.failure
        if error is None and failure is not None:
            raise TransactionAborted("Something inside the savepoint had failed: its work is undone") from failure

    async def _roll_back_savepoint(self, error: BaseException | None) -> None:
        try:
            await self._unbroken(self._transaction.roll_back_savepoint())
        except Exception:
            if error is None:
                raise
            # The caller gets `error`, which left the savepoint; the next statement says that the transaction is lost.

    async def _run_step(self, step: Coroutine[Any, Any, Result]) -> Result:
        return await run_to_completion(self._one_task.acting(step), abandon=self._transaction.abort)

    async def _unbroken(self, step: Coroutine[Any, Any, Result]) -> Result:
        """A step between blocks that is never torn: if it fails, or is cancelled, the transaction is lost."""
        try:
            return await self._run_step(step)
        except BaseException as error:
            self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or error
            raise

    async def _between_blocks(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A savepoint or a snapshot, which fail as statements do."""
        self._refuse_if_busy()
        self._blocks.refuse_if_failed()
        with self._one_task:
            try:
                await self._unbroken(step())
            except BaseException as error:
                self._remember(error)
                raise

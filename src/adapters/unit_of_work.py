"""The unit of work over any form of storage: how blocks nest, fail and end is written here once, for all forms.

A form of storage brings a `Transaction`, which knows how to begin, commit and roll back, and repositories whose
methods are marked `@reads` or `@writes`. Everything that the port promises beyond that is kept by `BlockUnitOfWork`,
and so the in-memory form behaves as the databases do.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self, TypeVar

from ..domain.errors import (
    ConcurrentUse,
    Conflict,
    InvalidValue,
    NotFound,
    NotInTransaction,
    ReadOnly,
    Refused,
    TransactionAborted,
    UnitOfWorkError,
    VersionMismatch,
)
from ..domain.repositories import ItemRepository, UserRepository
from . import open_blocks
from .completion import run_to_completion
from .one_task import OneTask
from .transaction import Mode, Transaction

Result = TypeVar("Result")


class _Kind(Enum):
    WRITING = auto()
    READING = auto()
    SAVEPOINT = auto()


@dataclass(slots=True, eq=False)
class _Block:
    """One `async with`. `failure` is set on the outermost block and on savepoints alone: it is what a rollback to
    there would heal."""

    store: object
    unit: "BlockUnitOfWork"
    kind: _Kind
    task: asyncio.Task[object] | None
    is_open: bool = True
    committed: bool = False
    wrote: bool = False
    pinned: bool = False
    failure: BaseException | None = None


class BlockUnitOfWork:
    """A `UnitOfWork` on one `Transaction` after the other; `store` is the database that they belong to."""

    users: UserRepository
    items: ItemRepository

    def __init__(self, store: object, transaction: Transaction, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._transaction = transaction
        self._clock = clock
        self._blocks: list[_Block] = []
        self._one_task = OneTask()
        self._fatal: BaseException | None = None  # after it only rolling back everything is possible
        self._now: datetime | None = None
        self._held_time: datetime | None = None

    @property
    def is_open(self) -> bool:
        return bool(self._blocks)

    @property
    def now(self) -> datetime:
        if self._now is None:
            raise NotInTransaction("The time of a unit of work is drawn when its block is entered")
        return self._now

    @contextmanager
    def hold_time(self) -> Iterator[None]:
        before = self._held_time
        self._held_time = before or self._clock()
        try:
            yield
        finally:
            self._held_time = before

    # Blocks

    async def __aenter__(self) -> Self:
        await self._enter(_Kind.WRITING)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._innermost_here() or self._blocks[-1]
        await self._leave(block, error)

    def reading(self, *, snapshot: bool = False) -> AbstractAsyncContextManager[Self]:
        return self._block(_Kind.READING, snapshot=snapshot)

    def savepoint(self) -> AbstractAsyncContextManager[Self]:
        return self._block(_Kind.SAVEPOINT)

    @asynccontextmanager
    async def _block(self, kind: _Kind, *, snapshot: bool = False) -> AsyncIterator[Self]:
        block = await self._enter(kind, snapshot=snapshot)
        try:
            yield self
        except BaseException as error:
            await self._leave(block, error)
            raise
        else:
            await self._leave(block, None)

    async def _enter(self, kind: _Kind, *, snapshot: bool = False) -> _Block:
        block = _Block(self._store, self, kind, asyncio.current_task())
        if not self._blocks:
            await self._begin(block, snapshot=snapshot)
        else:
            around = self._current()
            if kind is not _Kind.READING and around.kind is _Kind.READING:
                raise ReadOnly("A block that writes cannot stand inside reading()")
            if kind is _Kind.SAVEPOINT:
                with self._statement():
                    await self._unbroken(self._transaction.savepoint())
            elif kind is _Kind.READING and snapshot and around.kind is _Kind.READING and not self._is_pinned():
                with self._statement():
                    await self._unbroken(self._transaction.pin_snapshot())
                block.pinned = True
            self._blocks.append(block)
        open_blocks.enter(block)
        return block

    async def _begin(self, block: _Block, *, snapshot: bool) -> None:
        if block.kind is _Kind.SAVEPOINT:
            raise NotInTransaction("A savepoint stands inside a block that writes")
        open_blocks.refuse_second(self._store)
        if self._one_task.occupant is not None:
            raise ConcurrentUse("Another task is entering or leaving this unit of work")
        mode = Mode.WRITING
        if block.kind is _Kind.READING:
            mode = Mode.SNAPSHOT if snapshot else Mode.READING
        self._fatal = None
        with self._one_task.inside():
            try:
                await self._transaction.begin(mode)
            except BaseException:
                await run_to_completion(self._transaction.end())
                raise
        block.pinned = mode is Mode.SNAPSHOT
        self._now = self._held_time or self._clock()
        self._blocks.append(block)

    async def commit(self) -> None:
        block = self._current()
        if block.kind is _Kind.READING:
            raise ReadOnly("There is nothing to commit inside reading()")
        if block.kind is _Kind.SAVEPOINT:
            raise NotInTransaction("A savepoint has no commit: leaving it keeps its work")
        self._refuse_if_busy()
        self._refuse_if_failed()
        if block is self._blocks[0]:
            with self._one_task.inside():
                try:
                    await run_to_completion(self._commit_and_end(block))
                except BaseException as error:
                    if not block.committed:
                        self._fatal = error
                    raise
        block.committed = True

    async def _commit_and_end(self, block: _Block) -> None:
        await self._transaction.commit()
        block.committed = True
        await self._transaction.end()

    async def _leave(self, block: _Block, error: BaseException | None) -> None:
        if not block.is_open:  # the block around it has ended already, because another task left it
            if error is None:
                raise ConcurrentUse("The block around this one was left by another task")
            return
        intruded = self._one_task.occupant is not None or self._blocks[-1] is not block
        if intruded:
            self._fatal = self._fatal or ConcurrentUse("Another task was still inside the block")
            await run_to_completion(self._one_task.until_left())
        position = self._blocks.index(block)
        try:
            if position == 0:
                await self._end(block)
            else:
                await self._rejoin(block, self._blocks[position - 1], error)
        finally:
            for ended in self._blocks[position:]:
                ended.is_open = False
            del self._blocks[position:]
            open_blocks.leave(block)
        if intruded and error is None:
            raise ConcurrentUse("The block was left while another task was still inside it: nothing is committed")

    async def _end(self, block: _Block) -> None:
        try:
            if not block.committed:
                with self._one_task.inside():
                    await run_to_completion(self._transaction.end())
        finally:
            self._now = None

    async def _rejoin(self, block: _Block, around: _Block, error: BaseException | None) -> None:
        """What becomes of the transaction when an inner block is left."""
        if isinstance(error, Conflict) or (error is not None and not isinstance(error, Exception)):
            self._fatal = self._fatal or error
        if block.kind is _Kind.SAVEPOINT:
            await self._leave_savepoint(block, around, error)
        elif block.kind is _Kind.READING:
            if block.pinned and self._fatal is None:
                with self._one_task.inside():
                    await self._unbroken(self._transaction.unpin_snapshot())
        else:
            around.wrote = around.wrote or block.wrote
            if error is not None:
                self._fail(error)
            elif block.wrote and not block.committed:
                self._fail(NotInTransaction("An inner block wrote, and was left without commit()"))

    async def _leave_savepoint(self, block: _Block, around: _Block, error: BaseException | None) -> None:
        if self._fatal is None:
            with self._one_task.inside():
                if error is None and block.failure is None:
                    await self._unbroken(self._transaction.release_savepoint())
                    around.wrote = around.wrote or block.wrote
                else:
                    await self._unbroken(self._transaction.roll_back_savepoint())
        failure = self._fatal or block.failure
        if error is None and failure is not None:
            raise TransactionAborted("Something inside the savepoint had failed: its work is undone") from failure

    async def _unbroken(self, step: Coroutine[Any, Any, Result]) -> Result:
        """A step between blocks that is never torn: if it fails, or is cancelled, the transaction is lost."""
        try:
            return await run_to_completion(step)
        except BaseException as error:
            self._fatal = self._fatal or error
            raise

    # Statements

    @contextmanager
    def statement(self, *, writes: bool) -> Iterator[None]:
        """Around each method of a repository; see `reads` and `writes`."""
        block = self._current()
        if writes and block.kind is _Kind.READING:
            raise ReadOnly("Nothing can be written inside reading()")
        with self._statement():
            if writes:
                block.wrote = True
            yield

    @contextmanager
    def _statement(self) -> Iterator[None]:
        self._refuse_if_busy()
        self._refuse_if_failed()
        with self._one_task.inside():
            try:
                yield
            except BaseException as error:
                self._remember(error)
                raise

    def _remember(self, error: BaseException) -> None:
        """Promise 9: what a database would have failed for stays failed, whoever swallows the error."""
        if isinstance(error, (NotFound, VersionMismatch, UnitOfWorkError)):
            return  # an answer, not a failure
        if isinstance(error, (Refused, InvalidValue)):
            self._fail(error)
        else:
            self._fatal = self._fatal or error

    def _fail(self, error: BaseException) -> None:
        for block in reversed(self._blocks):
            if block.kind is _Kind.SAVEPOINT or block is self._blocks[0]:
                block.failure = block.failure or error
                return

    def _refuse_if_failed(self) -> None:
        for block in reversed(self._blocks):
            if block.kind is _Kind.SAVEPOINT or block is self._blocks[0]:
                failure = self._fatal or block.failure
                if failure is not None:
                    raise TransactionAborted("The transaction had failed and can only be rolled back") from failure
                return

    def _is_pinned(self) -> bool:
        return any(block.pinned for block in self._blocks)

    # One task at a time

    def _innermost_here(self) -> _Block | None:
        """The block of this unit that the running task stands in, ended or not."""
        for block in open_blocks.here():
            if isinstance(block, _Block) and block.unit is self:
                return block
        return None

    def _current(self) -> _Block:
        """The innermost block, if the running task may use it. Raises `NotInTransaction` or `ConcurrentUse`."""
        if not self._blocks:
            raise NotInTransaction("No block of this unit of work is open")
        innermost = self._blocks[-1]
        mine = self._innermost_here()
        if mine is None or not mine.is_open:
            # A block handed over by a task that has ended (a fixture, a generator) may be used by another.
            if innermost.task not in (None, asyncio.current_task()) and not innermost.task.done():
                raise ConcurrentUse("This unit of work is in use by another task")
        elif mine is not innermost:
            self._fatal = self._fatal or ConcurrentUse("Two tasks were inside one unit of work")
            raise ConcurrentUse("Another task is inside an inner block of this unit of work")
        if innermost.committed:
            raise NotInTransaction("This block has been committed: leave it first")
        return innermost

    def _refuse_if_busy(self) -> None:
        if self._one_task.occupant is not None:
            self._fatal = self._fatal or ConcurrentUse("Two tasks were inside one unit of work")
            raise ConcurrentUse("Another task is inside this unit of work")

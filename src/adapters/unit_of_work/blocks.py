"""The blocks of one unit of work: how they stand in each other, who may use them, and what has failed in them."""

import asyncio
import weakref
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum, auto
from types import TracebackType
from typing import Any, Protocol, TypeVar

from ...domain.errors import ConcurrentUse, NotInTransaction, TransactionAborted
from . import open_blocks


class BlockKind(Enum):
    WRITING = auto()
    READING = auto()
    SAVEPOINT = auto()


@dataclass(slots=True, eq=False)
class Block:
    """One `async with`. `failure` is kept by the outermost block and by savepoints alone: it is what a rollback to
    there would heal.

    The contexts of a task that is lost, and of connections that were opened in it, keep its block. So the block knows
    the task by a weak reference.
    """

    store: object
    blocks: "Blocks"
    kind: BlockKind
    task: "weakref.ref[asyncio.Task[object]]"
    is_open: bool = True
    committed: bool = False
    wrote: bool = False
    pinned: bool = False
    failure: BaseException | None = None


class Blocks:
    """The outermost first.

    `rollback_only_cause` is what no savepoint heals: after it the transaction can only be rolled back.
    """

    def __init__(self, store: object) -> None:
        self._store = store
        self._stack: list[Block] = []
        self._orphans: list[Block] = []  # ended together with a block around them, and not left yet
        self.rollback_only_cause: BaseException | None = None

    def __bool__(self) -> bool:
        return bool(self._stack)

    @property
    def can_pin(self) -> bool:
        """Whether all that is read from now on can come from one snapshot, and does not yet.

        Not inside a block that writes, however deep: it would lose what it has written.
        """
        return self._stack[0].kind is BlockKind.READING and not any(block.pinned for block in self._stack)

    def enter(self, kind: BlockKind, *, pinned: bool = False) -> Block:
        task: asyncio.Task[object] = asyncio.current_task()  # type: ignore[assignment]  # a block is used inside a task
        block = Block(self._store, self, kind, weakref.ref(task), pinned=pinned)
        if not self._stack:
            self.rollback_only_cause = None
        self._stack.append(block)
        open_blocks.enter(block)
        return block

    def leave(self, block: Block) -> None:
        """End the block, and those inside it that another task has not left yet."""
        if block.is_open:
            position = self._stack.index(block)
            for ended in self._stack[position:]:
                ended.is_open = False
            self._orphans += self._stack[position + 1 :]
            del self._stack[position:]
        elif block in self._orphans:
            self._orphans.remove(block)
        open_blocks.leave(block)

    def is_outermost(self, block: Block) -> bool:
        return block is self._stack[0]

    def is_innermost(self, block: Block) -> bool:
        return block is self._stack[-1]

    def around(self, block: Block) -> Block:
        return self._stack[self._stack.index(block) - 1]

    # Who may use them

    def innermost_plain(self) -> Block:
        """Return the innermost `async with uow` of the running task, or of the last task that used the unit."""
        here = [block for block in open_blocks.here() if isinstance(block, Block) and block.blocks is self]
        for block in (*here, *reversed(self._stack)):
            if block.kind is BlockKind.WRITING:
                return block
        raise NotInTransaction("No block of this unit of work is open")

    def current(self) -> Block:
        """The innermost block, if the running task may use it. Raises `NotInTransaction` or `ConcurrentUse`."""
        if not self._stack:
            raise NotInTransaction("No block of this unit of work is open")
        innermost = self._stack[-1]
        if open_blocks.innermost() is not innermost:  # it is, nearly always
            mine = self._here()
            if mine is None or not mine.is_open:
                self._move_to_running_task(innermost)
            elif mine is not innermost:
                raise self.concurrent_use("Another task is inside an inner block of this unit of work")
        if innermost.committed:
            raise NotInTransaction("This block has been committed: leave it first")
        return innermost

    def refuse_late_task(self) -> None:
        """A task that was started inside a block, and comes when that has ended, would commit alone what it was to
        commit as a part: whether it joins would depend on timing."""
        task = asyncio.current_task()
        for block in open_blocks.here():
            if isinstance(block, Block) and block.blocks is self and not block.is_open and block.task() is not task:
                raise NotInTransaction("The block in which this task was started has ended: await the task inside it")

    def concurrent_use(self, message: str) -> ConcurrentUse:
        """Two tasks were inside at the same time: whichever of them commits, it would commit the other's half."""
        error = ConcurrentUse(message)
        self.rollback_only_cause = self.rollback_only_cause or error
        return error

    def _here(self) -> Block | None:
        """The block of this unit that the running task stands in, ended or not."""
        for block in open_blocks.here():
            if isinstance(block, Block) and block.blocks is self:
                return block
        return None

    def _move_to_running_task(self, innermost: Block) -> None:
        """Blocks that a task has opened and then ended (a fixture, a generator) belong to the next that uses them."""
        task = asyncio.current_task()
        owner = innermost.task()
        if owner is not None and owner is not task and not owner.done():
            raise ConcurrentUse("This unit of work is in use by another task")
        assert task is not None
        reference: weakref.ref[asyncio.Task[object]] = weakref.ref(task)
        for block in self._stack:
            block.task = reference
            open_blocks.enter(block)

    # What has failed

    def fail(self, error: BaseException) -> None:
        """Remember what a rollback to the innermost savepoint heals."""
        healed_by = self._healed_by()
        healed_by.failure = healed_by.failure or error

    def refuse_if_failed(self) -> None:
        failure = self.rollback_only_cause or self._healed_by().failure
        if isinstance(failure, ConcurrentUse):  # the other task may have got that error: `gather` raises one of two
            raise TransactionAborted(f"{failure}: its transaction can only be rolled back") from failure
        if failure is not None:
            raise TransactionAborted("The transaction had failed and can only be rolled back") from failure

    def _healed_by(self) -> Block:
        for block in reversed(self._stack):
            if block.kind is BlockKind.SAVEPOINT:
                return block
        return self._stack[0]


class _Unit(Protocol):
    entering: "BlockExit | None"

    async def enter(self, kind: BlockKind, *, snapshot: bool = False) -> Block: ...

    async def leave(self, block: Block | None, error: BaseException | None) -> None: ...


Unit = TypeVar("Unit", bound=_Unit)


class BlockExit:
    """The `__aexit__` of one `async with uow`: it leaves the block that was entered there, and no other.

    When a generator with a block of its own is suspended inside, the innermost block is not the one that is left.
    """

    def __init__(self, unit: _Unit) -> None:
        self._unit = unit
        self.block: Block | None = None

    async def __call__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._unit.leave(self.block, error)


class BlockExits:
    """Makes a `BlockExit` for each `async with uow`.

    Python reads `__aexit__` once for each `async with`, before it calls `__aenter__` (The Python Language Reference,
    8.9.3), which then tells the exit its block.
    """

    def __get__(self, unit: _Unit | None, owner: type | None = None) -> Any:
        if unit is None:
            return leave_innermost
        unit.entering = BlockExit(unit)
        return unit.entering


async def leave_innermost(
    unit: _Unit, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
) -> None:
    """The `__aexit__` that `AsyncExitStack` uses: it reads that of the class."""
    await unit.leave(None, error)


class InnerBlock(AbstractAsyncContextManager[Unit]):
    """What `reading` and `savepoint` give.

    A generator would do, at twice the price, and every request has two of these.
    """

    def __init__(self, unit: Unit, kind: BlockKind, *, snapshot: bool = False) -> None:
        self._unit = unit
        self._kind = kind
        self._snapshot = snapshot
        self._block: Block | None = None

    async def __aenter__(self) -> Unit:
        self._block = await self._unit.enter(self._kind, snapshot=self._snapshot)
        return self._unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._unit.leave(self._block, error)

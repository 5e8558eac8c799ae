"""The unit of work on a `MemoryDatabase`."""

import asyncio
from typing import TYPE_CHECKING

from ..unit_of_work.block_unit_of_work import BlockUnitOfWork
from ..unit_of_work.transaction import TransactionMode
from .idempotency_keys import MemoryIdempotencyKeys
from .items import MemoryItems
from .login_sessions import MemoryAttempts, MemoryLoginSessions
from .state import State
from .users import MemoryUsers

if TYPE_CHECKING:
    from .database import MemoryDatabase


class MemoryUnitOfWork(BlockUnitOfWork):
    def __init__(self, database: "MemoryDatabase") -> None:
        transaction = MemoryTransaction(database)
        super().__init__(database, transaction, database.clock)
        self.users = MemoryUsers(self, transaction)
        self.items = MemoryItems(self, transaction)
        self.login_sessions = MemoryLoginSessions(self, transaction)
        self.attempts = MemoryAttempts(self, transaction)
        self.idempotency_keys = MemoryIdempotencyKeys(self, transaction)


class MemoryTransaction:
    """Copy on write: the first write copies the committed state, the commit puts the copy in its place."""

    def __init__(self, database: "MemoryDatabase") -> None:
        self.database = database
        self._mode: TransactionMode | None = None
        self._working: State | None = None
        self._snapshot: State | None = None
        self._savepoints: list[State | None] = []
        self._pinned = False

    async def begin(self, mode: TransactionMode) -> None:
        await asyncio.sleep(0)
        if mode is TransactionMode.WRITING:
            await self.database.writer.acquire()
        self._mode = mode
        self._pinned = mode is TransactionMode.SNAPSHOT
        self.database.open_units += 1

    async def commit(self) -> None:
        await asyncio.sleep(0)
        lost_answer = self.database.apply(self._working or self.database.committed)
        self._let_go()
        if lost_answer is not None:
            raise lost_answer

    async def end(self) -> None:
        self.end_at_once()

    def end_at_once(self) -> bool:
        if self._mode is TransactionMode.WRITING:
            self.database.rollbacks += 1
        if self._mode is not None:
            self._let_go()
        return True

    def abort(self) -> None:
        """Nothing here takes time."""

    def _let_go(self) -> None:
        if self._mode is TransactionMode.WRITING:
            self.database.writer.release()
        self.database.open_units -= 1
        self._mode = self._working = self._snapshot = None
        self._savepoints.clear()
        self._pinned = False

    async def savepoint(self) -> None:
        await asyncio.sleep(0)
        self._savepoints.append(None if self._working is None else self._working.copy())

    async def release_savepoint(self) -> None:
        await asyncio.sleep(0)
        self._savepoints.pop()

    async def roll_back_savepoint(self) -> None:
        await asyncio.sleep(0)
        self._working = self._savepoints.pop()

    async def pin_snapshot(self) -> None:
        await asyncio.sleep(0)
        self._pinned = True

    async def unpin_snapshot(self) -> None:
        await asyncio.sleep(0)
        self._pinned = False
        self._snapshot = None

    async def read(self) -> State:
        """The state that a statement sees. Yields to the loop, and can be cancelled there, as a database can."""
        await asyncio.sleep(0)
        if self._working is not None:
            return self._working
        if not self._pinned:
            return self.database.committed
        if self._snapshot is None:  # as in a database, the first statement takes it
            self._snapshot = self.database.committed
        return self._snapshot

    async def write(self) -> State:
        """The state that a statement changes."""
        await asyncio.sleep(0)
        if self._working is None:
            self._working = self.database.committed.copy()
        return self._working

"""What the in-memory backend does for one outermost block of a unit of work."""

import asyncio

from ..unit_of_work.transaction import TransactionMode
from .state import State
from .storage import MemoryStorage


class MemoryTransaction:
    """Copy on write: the first write copies the committed state, the commit puts the copy in its place."""

    is_pending = False  # every write is done at once

    def __init__(self, storage: MemoryStorage) -> None:
        self.storage = storage
        self._mode: TransactionMode | None = None
        self._working: State | None = None
        self._snapshot: State | None = None
        self._savepoints: list[State | None] = []
        self._pinned = False

    async def begin(self, mode: TransactionMode) -> None:
        await asyncio.sleep(0)
        if mode is TransactionMode.WRITING:
            await self.storage.writer.acquire()
        self._mode = mode
        self._pinned = mode is TransactionMode.SNAPSHOT
        self.storage.open_units += 1

    async def commit(self) -> None:
        await asyncio.sleep(0)
        lost_answer = self.storage.apply(self._working or self.storage.committed)
        self._let_go()
        if lost_answer is not None:
            raise lost_answer

    async def end(self) -> None:
        self.end_at_once()

    def end_at_once(self) -> bool:
        if self._mode is TransactionMode.WRITING:
            self.storage.rollbacks += 1
        if self._mode is not None:
            self._let_go()
        return True

    def abort(self) -> None:
        """Nothing here takes time."""

    def _let_go(self) -> None:
        if self._mode is TransactionMode.WRITING:
            self.storage.writer.release()
        self.storage.open_units -= 1
        self._mode = self._working = self._snapshot = None
        self._savepoints.clear()
        self._pinned = False

    async def flush(self) -> None:
        """Nothing is ever pending."""

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
            return self.storage.committed
        if self._snapshot is None:  # as in a database, the first statement takes it
            self._snapshot = self.storage.committed
        return self._snapshot

    async def write(self) -> State:
        """The state that a statement changes."""
        await asyncio.sleep(0)
        if self._working is None:
            self._working = self.storage.committed.copy()
        return self._working

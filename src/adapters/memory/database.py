"""A database that lives in memory: committed states that writing units copy, and one writer at a time."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from ...domain.errors import Conflict
from ...domain.items import Item, ItemId
from ...domain.users import User, UserId
from ..clock import system_clock
from .state import State, copy_item, copy_user
from .unit_of_work import MemoryUnitOfWork


class MemoryDatabase:
    """Shared by the units of work that it makes. It belongs to the event loop on which it is first waited for.

    Beside what the port promises it tells what became of the units (`commits`, `rollbacks`) and fails on demand.
    """

    def __init__(self, *, clock: Callable[[], datetime] = system_clock) -> None:
        self.clock = clock
        self.committed = State()
        self.writer = asyncio.Lock()
        self.commits = 0
        self.rollbacks = 0
        self._last_user_id = 0
        self._last_item_id = 0
        self._commit_failure: Exception | None = None
        self._conflicts = 0

    def unit_of_work(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self)

    @property
    def users(self) -> Mapping[UserId, User]:
        """Copies of what is committed."""
        return {user_id: copy_user(user) for user_id, user in self.committed.users.items()}

    @property
    def items(self) -> Mapping[ItemId, Item]:
        """Copies of what is committed."""
        return {item_id: copy_item(item) for item_id, item in self.committed.items.items()}

    def next_user_id(self) -> UserId:
        """Never given twice, whatever becomes of the unit that asked."""
        self._last_user_id += 1
        return UserId(self._last_user_id)

    def next_item_id(self) -> ItemId:
        self._last_item_id += 1
        return ItemId(self._last_item_id)

    def fail_next_commit(self, error: Exception | type[Exception]) -> None:
        """The next commit raises `error`, and stores nothing."""
        self._commit_failure = error() if isinstance(error, type) else error

    def conflict_next(self, times: int = 1) -> None:
        """The next `times` commits raise `Conflict`, as a database does that lost a race."""
        self._conflicts = times

    def apply(self, working: State) -> None:
        """Make a unit's state the committed one, unless a failure was asked for."""
        if self._commit_failure is not None:
            failure, self._commit_failure = self._commit_failure, None
            raise failure
        if self._conflicts:
            self._conflicts -= 1
            raise Conflict
        self.committed = working
        self.commits += 1

"""A database that lives in memory: committed states that writing units copy, and one writer at a time."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar

from ...domain.actors import Actor
from ...domain.errors import Conflict
from ...domain.items import Item, ItemId
from ...domain.login_sessions import LoginSessionId
from ...domain.users import User, UserId
from ...service_layer import retry
from ...service_layer.retry import UseCase
from ..clock import system_clock
from .state import State, copy_item, copy_user
from .unit_of_work import MemoryUnitOfWork

P = ParamSpec("P")
Result = TypeVar("Result")


class MemoryDatabase:
    """Shared by the units of work that it makes. It belongs to the event loop on which it is first waited for.

    Beside what the port promises it tells what became of the units that could write (`commits`, `rollbacks`), what
    is committed (`users`, `items`) and how many are open just now (`open_units`), and fails on demand.
    """

    def __init__(self, *, clock: Callable[[], datetime] = system_clock) -> None:
        self.clock = clock
        self.committed = State()
        self.writer = asyncio.Lock()
        self.commits = 0
        self.rollbacks = 0
        self.open_units = 0
        self._last_user_id = 0
        self._last_item_id = 0
        self._last_login_session_id = 0
        self._commit_failure: Exception | None = None
        self._failure_is_stored = False
        self._conflicts = 0

    def unit_of_work(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self)

    async def run(
        self,
        use_case: UseCase[P, Result],
        actor: Actor,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Result:
        """Call `async def use_case(uow, actor, …)` on a new unit of work, again on a conflict."""
        return await retry.run(self.unit_of_work(), use_case, actor, *args, **kwargs)

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

    def next_login_session_id(self) -> LoginSessionId:
        self._last_login_session_id += 1
        return LoginSessionId(self._last_login_session_id)

    def fail_next_commit(self, error: Exception | type[Exception], *, stored: bool = False) -> None:
        """The next commit raises `error`. It stores nothing, unless `stored` says that the answer alone was lost."""
        self._commit_failure = error() if isinstance(error, type) else error
        self._failure_is_stored = stored

    def conflict_next(self, times: int = 1) -> None:
        """The next `times` commits raise `Conflict`, as a database does that lost a race."""
        self._conflicts = times

    def apply(self, working: State) -> Exception | None:
        """Make a unit's state the committed one.

        Raises the failure that was asked for, or returns it if it comes after the deed.
        """
        failure, self._commit_failure = self._commit_failure, None
        if failure is not None and not self._failure_is_stored:
            raise failure
        if self._conflicts:
            self._conflicts -= 1
            raise Conflict
        self.committed = working
        self.commits += 1
        return failure

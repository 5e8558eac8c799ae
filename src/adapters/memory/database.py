"""A database that lives in memory: committed states that writing units copy, and one writer at a time."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import ParamSpec, TypeVar

from ...domain.actors import Actor
from ...domain.items import Item, ItemId
from ...domain.users import User, UserId
from ...service_layer import retry
from ...service_layer.retry import UseCase
from ..clock import system_clock
from .state import copy_item, copy_user
from .storage import MemoryStorage
from .unit_of_work import MemoryUnitOfWork

P = ParamSpec("P")
Result = TypeVar("Result")


class MemoryDatabase(MemoryStorage):
    """Shared by the units of work that it makes. It belongs to the event loop on which it is first waited for.

    Beside what the port promises it tells what became of the units that could write (`commits`, `rollbacks`), what
    is committed (`users`, `items`) and how many are open just now (`open_units`), and fails on demand.
    """

    def __init__(self, *, clock: Callable[[], datetime] = system_clock) -> None:
        super().__init__()
        self.clock = clock

    def unit_of_work(self) -> MemoryUnitOfWork:
        return MemoryUnitOfWork(self, self.clock)

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

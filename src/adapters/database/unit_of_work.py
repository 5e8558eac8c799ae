"""The unit of work on a `Database`."""

from collections.abc import Callable
from datetime import datetime

from ..unit_of_work.block_unit_of_work import BlockUnitOfWork
from .engines import Engines
from .repositories.attempts import DatabaseAttempts
from .repositories.idempotency_keys import DatabaseIdempotencyKeys
from .repositories.items import DatabaseItems
from .repositories.login_sessions import DatabaseLoginSessions
from .repositories.users import DatabaseUsers
from .transaction import DatabaseTransaction


class DatabaseUnitOfWork(BlockUnitOfWork):
    """Its repositories know it, and are made when they are asked for: if it knew them, too, every request would leave a
    circle of objects to the garbage collector, most of which nobody has used."""

    def __init__(self, database: object, engines: Engines, clock: Callable[[], datetime]) -> None:
        self._database_transaction = transaction = DatabaseTransaction(engines)
        super().__init__(database, transaction, clock)

    @property
    def users(self) -> DatabaseUsers:
        return DatabaseUsers(self, self._database_transaction)

    @property
    def items(self) -> DatabaseItems:
        return DatabaseItems(self, self._database_transaction)

    @property
    def login_sessions(self) -> DatabaseLoginSessions:
        return DatabaseLoginSessions(self, self._database_transaction)

    @property
    def attempts(self) -> DatabaseAttempts:
        return DatabaseAttempts(self, self._database_transaction)

    @property
    def idempotency_keys(self) -> DatabaseIdempotencyKeys:
        return DatabaseIdempotencyKeys(self, self._database_transaction)

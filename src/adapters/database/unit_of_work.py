"""The unit of work on a `Database`."""

from typing import TYPE_CHECKING

from ..unit_of_work import BlockUnitOfWork
from .attempts import DatabaseAttempts
from .idempotency import DatabaseIdempotencyKeys
from .items import DatabaseItems
from .sessions import DatabaseSessions
from .transaction import DatabaseTransaction
from .users import DatabaseUsers

if TYPE_CHECKING:
    from .database import Database


class DatabaseUnitOfWork(BlockUnitOfWork):
    """Its repositories know it, and are made when they are asked for: if it knew them, too, every request would leave a
    circle of objects to the garbage collector, most of which nobody has used."""

    def __init__(self, database: "Database") -> None:
        self._database_transaction = transaction = DatabaseTransaction(database)
        super().__init__(database, transaction, database.clock)

    @property
    def users(self) -> DatabaseUsers:
        return DatabaseUsers(self, self._database_transaction)

    @property
    def items(self) -> DatabaseItems:
        return DatabaseItems(self, self._database_transaction)

    @property
    def sessions(self) -> DatabaseSessions:
        return DatabaseSessions(self, self._database_transaction)

    @property
    def attempts(self) -> DatabaseAttempts:
        return DatabaseAttempts(self, self._database_transaction)

    @property
    def idempotency_keys(self) -> DatabaseIdempotencyKeys:
        return DatabaseIdempotencyKeys(self, self._database_transaction)

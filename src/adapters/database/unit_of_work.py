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
    def __init__(self, database: "Database") -> None:
        transaction = DatabaseTransaction(database)
        super().__init__(database, transaction, database.clock)
        self.users = DatabaseUsers(self, transaction)
        self.items = DatabaseItems(self, transaction)
        self.sessions = DatabaseSessions(self, transaction)
        self.attempts = DatabaseAttempts(self, transaction)
        self.idempotency_keys = DatabaseIdempotencyKeys(self, transaction)

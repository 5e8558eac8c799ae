"""The unit of work on a `MemoryDatabase`."""

from collections.abc import Callable
from datetime import datetime

from ..unit_of_work.block_unit_of_work import BlockUnitOfWork
from .attempts import MemoryAttempts
from .idempotency_keys import MemoryIdempotencyKeys
from .items import MemoryItems
from .login_sessions import MemoryLoginSessions
from .storage import MemoryStorage
from .transaction import MemoryTransaction
from .users import MemoryUsers


class MemoryUnitOfWork(BlockUnitOfWork):
    def __init__(self, storage: MemoryStorage, clock: Callable[[], datetime]) -> None:
        transaction = MemoryTransaction(storage)
        super().__init__(storage, transaction, clock)
        self.users = MemoryUsers(self, transaction)
        self.items = MemoryItems(self, transaction)
        self.login_sessions = MemoryLoginSessions(self, transaction)
        self.attempts = MemoryAttempts(self, transaction)
        self.idempotency_keys = MemoryIdempotencyKeys(self, transaction)

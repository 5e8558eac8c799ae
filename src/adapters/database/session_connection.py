"""Which connection a plain session uses, and whether its transaction has failed."""

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from ...domain.errors import TransactionAborted
from .connection_events import LISTENER


class TransactionMemory:
    """Of one transaction of a plain session: a failed statement is not forgotten, whoever swallows its error."""

    failure: BaseException | None = None
    heals = True
    is_committing = False  # whether COMMIT is under way: the flush that comes before it is over

    def before_statement(self, *, writes: bool) -> None:
        if self.failure is not None:
            raise TransactionAborted("The transaction had failed and can only be rolled back") from self.failure

    def after_statement(self) -> None: ...

    def statement_failed(self, error: BaseException, *, heals: bool) -> BaseException:
        self.failure = self.failure or error  # the first is the cause of the others
        self.heals = self.heals and heals
        return self.failure

    def before_end(self, *, commits: bool) -> None:
        if commits and self.failure is not None:
            raise TransactionAborted(
                "A statement of this transaction had failed: nothing is committed"
            ) from self.failure
        self.is_committing = commits

    def savepoint_rolled_back(self) -> None:
        if self.heals:
            self.failure = None


class SessionWithConnection(Session):
    """Knows its connection, also while something that is no method of the session uses it."""

    in_use: Connection | None = None
    memory = TransactionMemory()


@event.listens_for(SessionWithConnection, "after_begin")
def _begin_memory(session: SessionWithConnection, transaction: SessionTransaction, connection: Connection) -> None:
    session.in_use = connection
    if not transaction.nested:
        session.memory = TransactionMemory()
        connection.execution_options(**{LISTENER: session.memory})


@event.listens_for(SessionWithConnection, "after_soft_rollback")
def _heal(session: SessionWithConnection, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.memory.savepoint_rolled_back()

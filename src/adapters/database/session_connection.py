"""Which connection a plain session uses, and whether its transaction has failed."""

from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from ...domain.errors import NotInTransaction, TransactionAborted
from .connection_events import LISTENER
from .drivers.left_state import expect_left_state


class TransactionMemory:
    """Of one transaction of a plain session: a failed statement is not forgotten, whoever swallows its error."""

    failure: BaseException | None = None
    heals = True
    is_committing = False  # whether COMMIT is under way: the flush that comes before it is over
    has_written = False

    def before_statement(self, *, writes: bool) -> None:
        self.has_written = self.has_written or writes
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
    is_closed = False

    @property
    def has_work(self) -> bool:
        """Whether a commit would store something, as far as can be told without a look at each object."""
        return bool(self.memory.has_written or self.new or self.dirty or self.deleted)

    def refuse_if_closed(self) -> None:
        if self.is_closed:
            raise NotInTransaction(
                "This session has been closed, or its block has ended. Open another with `async with "
                "database.session()`: a socket for each message, a streamed response in its generator, a background "
                "task in the task"
            )

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        connection = super().connection(*args, **kwargs)
        expect_left_state(connection)  # what its driver is asked to do is not seen
        return connection

    def add(self, instance: object, **kwargs: Any) -> None:
        self.refuse_if_closed()
        super().add(instance, **kwargs)


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

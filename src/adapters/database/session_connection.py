"""Which connection a plain session uses, and whether its transaction has failed."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.util import await_
from sqlalchemy.util.concurrency import in_greenlet

from ...domain.errors import NotInTransaction, TransactionAborted
from .admission import Admission
from .connection_events import LISTENER
from .drivers.left_state import expect_left_state


class TransactionMemory:
    """Of one transaction of a plain session: a failed statement is not forgotten, also if its error is swallowed."""

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
        if commits:
            self.refuse_commit_if_failed()
        self.is_committing = commits

    def refuse_commit_if_failed(self) -> None:
        if self.failure is not None:
            raise TransactionAborted(
                "A statement of this transaction had failed: nothing is committed"
            ) from self.failure

    def savepoint_rolled_back(self) -> None:
        if self.heals:
            self.failure = None


class SessionWithConnection(Session):
    """Knows its connection and its place in the queue, also while no method of the session runs, but a lazy load."""

    admission: Admission
    in_use: Connection | None = None
    memory: TransactionMemory
    is_admitted = False
    is_closed = False

    def __del__(self) -> None:  # as `SessionTransaction.__del__`
        if self.is_admitted:
            self.is_admitted = False
            self.admission.leave_from_garbage()

    async def enter(self) -> None:
        """Wait for a place before a connection is wanted; `leave` gives it back. Raises `Overloaded`."""
        self.refuse_if_closed()
        if not self.is_admitted:
            await self.admission.enter()
            self.is_admitted = True

    def leave(self) -> None:
        if self.is_admitted:
            self.is_admitted = False
            self.admission.leave()

    def get_bind(self, *args: Any, **kwargs: Any) -> Engine | Connection:
        if not self.is_admitted and in_greenlet():  # a flush of a commit, or a lazy load after one
            await_(self.enter())
        return super().get_bind(*args, **kwargs)

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        try:
            super().flush(objects)
        except BaseException as error:  # of Python's too, such as a hook's
            self.memory.statement_failed(error, heals=isinstance(error, Exception))
            raise

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


@event.listens_for(SessionWithConnection, "after_transaction_create")
def _begin_memory(session: SessionWithConnection, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.memory = TransactionMemory()


@event.listens_for(SessionWithConnection, "after_begin")
def _tell_memory(session: SessionWithConnection, transaction: SessionTransaction, connection: Connection) -> None:
    session.in_use = connection
    if not transaction.nested:
        connection.execution_options(**{LISTENER: session.memory})


@event.listens_for(SessionWithConnection, "after_soft_rollback")
def _heal(session: SessionWithConnection, transaction: SessionTransaction) -> None:
    if transaction.nested:
        session.memory.savepoint_rolled_back()

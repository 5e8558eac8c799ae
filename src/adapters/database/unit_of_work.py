"""The unit of work on a `Database`: it owns one `AsyncSession` for each outermost block, and commit and rollback."""

from collections.abc import Callable
from datetime import datetime

from ...domain.errors import Conflict, NotInTransaction, ReadOnly, TransactionAborted, UnitOfWorkError
from ..unit_of_work.block_unit_of_work import BlockUnitOfWork
from ..unit_of_work.blocks import BlockKind
from ..unit_of_work.transaction import TransactionMode
from .error_translation import translate
from .repositories.attempts import DatabaseAttempts
from .repositories.idempotency_keys import DatabaseIdempotencyKeys
from .repositories.items import DatabaseItems
from .repositories.login_sessions import DatabaseLoginSessions
from .repositories.users import DatabaseUsers
from .session import GuardedSession, GuardedSyncSession
from .session_transaction import SessionTransaction


class DatabaseUnitOfWork(BlockUnitOfWork):
    """Owns one `AsyncSession` for each outermost block, and with it commit and rollback.

    A repository is made for each use. If the unit kept it, every request would leave a cycle of objects to the garbage
    collector.
    """

    def __init__(self, database: object, transaction: SessionTransaction, clock: Callable[[], datetime]) -> None:
        self._database_transaction = transaction
        self._bypasses_session = False  # whether the running statement was begun on the connection, not by the session
        super().__init__(database, transaction, clock)

    @property
    def session(self) -> GuardedSession:
        """The session of the open block, for queries and ORM objects of your own, in its transaction.

        Raises:
            NotInTransaction: outside a block, and after its `commit()`.
            ConcurrentUse: if another task is inside.
        """
        if not self.is_inside:
            self._blocks.current()
            self._refuse_if_busy()
        return self._database_transaction.session

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

    # What the session asks

    @property
    def is_inside(self) -> bool:
        return self._one_task.is_inside

    @property
    def in_step(self) -> bool:
        return self._database_transaction.in_step and self.is_inside

    def enter_session(self, session: GuardedSyncSession, *, attach_only: bool = False) -> None:
        current = self._database_transaction.current_session
        if current is None or current.sync_session is not session:
            raise NotInTransaction("The block of this session has ended: read uow.session anew")
        if attach_only:
            self._blocks.current()
            self._refuse_if_busy()
        else:
            self.begin_statement(writes=False, locks=False)

    def leave_session(self, error: BaseException | None) -> None:
        translated = translate(error) if isinstance(error, Exception) else None
        if self._reported is not None:
            self._reported = translated or error or self._reported
        if isinstance(translated, Conflict):  # `StaleDataError` is Python's: the statement has succeeded
            self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or translated
        self.end_statement(None)  # an error of Python's was not sent: only what was reported is a failure
        if translated is not None and translated is not error:
            raise translated from error

    def before_write(self) -> None:
        block = self._blocks.current()
        if block.kind is BlockKind.READING and not self._blocks.is_outermost(block):  # else the database refuses
            raise ReadOnly("Nothing can be written inside reading()")
        block.wrote = True

    # What the connection tells

    def before_statement(self, *, writes: bool) -> None:
        if self.in_step:
            return
        if not self.is_inside:
            self.begin_statement(writes=False, locks=False)
            self._bypasses_session = True
        elif self._reported is not None:
            raise TransactionAborted("The transaction had failed and can only be rolled back") from self._reported
        if writes:
            self.before_write()

    def after_statement(self) -> None:
        if self._bypasses_session and self.is_inside:
            self._bypasses_session = False
            self.end_statement(None)

    def statement_failed(self, error: BaseException, *, heals: bool) -> BaseException:
        if self.in_step or self._database_transaction.may_repeat(error):
            return error  # the unit of work remembers what it raises after a step, or after the last attempt
        self._reported = self._reported or error
        if not heals or (isinstance(error, Exception) and isinstance(translate(error), Conflict)):
            self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or error
        return self._reported

    def before_end(self, *, commits: bool) -> None:
        session = self._database_transaction.current_session
        is_of_flush = not commits and session is not None and session.sync_session.is_flushing
        if self.in_step or is_of_flush:  # a flush that fails rolls back by itself
            self._database_transaction.is_committing = commits and self.in_step
            return
        instead = "call uow.commit()" if commits else "leave the block without uow.commit()"
        refusal = UnitOfWorkError(f"The unit of work owns this transaction: {instead}")
        # SQLAlchemy takes the transaction for ended before it asks.
        self._blocks.rollback_only_cause = self._blocks.rollback_only_cause or refusal
        raise refusal

    # The blocks

    async def _begin(self, kind: BlockKind, mode: TransactionMode) -> None:
        self._database_transaction.owner = self
        self._reported = None
        await super()._begin(kind, mode)

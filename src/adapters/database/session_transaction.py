"""What a database does for one outermost block of a unit of work: it owns an `AsyncSession`, and with it COMMIT."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Executable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import SessionTransaction as Savepoint
from sqlalchemy.util import greenlet_spawn

from ...domain.errors import Conflict, OutcomeUnknown, StewardError, TransactionAborted
from ..unit_of_work.transaction import TransactionMode
from .admission import Admission
from .drivers.lost_connections import abort
from .drivers.refused_reads import READ_ATTEMPTS, is_refused_read
from .engines import Engines
from .error_translation import raise_translated
from .seen_versions import Entity, SeenVersions
from .session import GuardedSession, GuardedSyncSession, SessionOwner

Result = TypeVar("Result")


class SessionTransaction:
    """One session for each outermost block, and one for each snapshot inside a reading block.

    A writing block begins when it is entered; on PostgreSQL SQLAlchemy sends BEGIN just before the first statement. A
    reading block begins nothing. After COMMIT the session holds no connection, and is let go. `owner` is the unit of
    work while a block is open.
    """

    owner: SessionOwner | None = None

    def __init__(self, engines: Engines) -> None:
        self.dialect = engines.dialect
        self.in_step = False  # while BEGIN, COMMIT, ROLLBACK or a savepoint is under way: they are sent by us alone
        self.is_committing = False  # whether COMMIT is about to be sent, or was
        self._engines = engines
        self._session: GuardedSession | None = None
        self._admission: Admission | None = None
        self._savepoints: list[Savepoint] = []
        self._mode = TransactionMode.READING
        self._seen = SeenVersions()

    def __del__(self) -> None:
        # A task that is lost inside a block is never woken again, and cannot leave it. SQLAlchemy drops its connection;
        # the place in the queue is ours.
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave_from_garbage()

    @property
    def session(self) -> GuardedSession:
        if self._session is None:
            raise TransactionAborted("The transaction has ended")  # a snapshot could not be begun, for one
        return self._session

    @property
    def current_session(self) -> GuardedSession | None:
        """The open session, if there is one."""
        return self._session

    @property
    def is_pending(self) -> bool:
        return self._session is not None and self._session.sync_session.is_pending

    # Steps

    async def begin(self, mode: TransactionMode) -> None:
        await self._enter(mode)
        await self._begin_session(mode)

    async def flush(self) -> None:
        try:
            await self.session.flush()
        except Exception as error:
            raise_translated(error)

    async def commit(self) -> None:
        await self._step(self.session.sync_session.commit)  # flushes; `is_committing` tells a failure of COMMIT apart

    async def end(self) -> None:
        try:
            await self._close()
        finally:
            self._leave()

    def end_at_once(self) -> bool:
        return False

    def abort(self) -> None:
        if self._session is not None:
            abort(self._session.sync_session.in_use)

    async def savepoint(self) -> None:
        self._savepoints.append(await self._step(self._begin_savepoint))
        self._seen.savepoint()

    async def release_savepoint(self) -> None:
        await self._step(self._savepoints.pop().commit)
        self._seen.release()

    async def roll_back_savepoint(self) -> None:
        await self._step(self._savepoints.pop().rollback)
        self._seen.roll_back()

    async def pin_snapshot(self) -> None:
        await self._close()
        self._open(TransactionMode.SNAPSHOT)

    async def unpin_snapshot(self) -> None:
        await self._close()
        self._open(TransactionMode.READING)

    # Statements

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        foreign_key: StewardError | None = None,
    ) -> Any:
        """Run a statement of a repository.

        Args:
            statement: Any statement of SQLAlchemy Core.
            parameters: Of one execution, or of several.
            foreign_key: What it means if a foreign key refuses the statement.

        Returns:
            The rows, as SQLAlchemy's `Result` gives them.

        Raises:
            StewardError: What `error_translation` makes of the database's error.
        """
        attempts_left = READ_ATTEMPTS
        while True:
            attempts_left -= 1
            try:
                return await greenlet_spawn(self._execute, self.session.sync_session, statement, parameters)
            except Exception as error:
                if not (attempts_left and self.may_repeat(error)):
                    raise_translated(error, foreign_key=foreign_key)

    def may_repeat(self, error: BaseException) -> bool:
        """Return True for a read outside a transaction that a serializable server has refused: it stands alone."""
        return self._mode is TransactionMode.READING and is_refused_read(error)

    def _execute(self, session: GuardedSyncSession, statement: Executable, parameters: Any) -> Any:
        """What `session.execute` does for a statement of Core, without its search for a connection."""
        if session.autoflush and session.is_pending:
            session.flush()
        return session.acquire().execute(statement, parameters)

    def read(self, entity: Entity) -> Entity:
        """Every entity that was read passes here: see `SeenVersions`. Without a transaction each read stands alone."""
        return self._seen.read(entity) if self._mode is TransactionMode.WRITING else entity

    def read_all(self, entities: list[Entity]) -> list[Entity]:
        if self._mode is TransactionMode.WRITING:
            for entity in entities:
                self._seen.read(entity)
        return entities

    def wrote(self, entity: Entity) -> None:
        self._seen.wrote(entity)

    def wrote_many_items(self) -> None:
        self._seen.forget_items()

    # The place in the queue, and the session

    async def _enter(self, mode: TransactionMode) -> None:
        admission = self._engines.admission(mode)
        await admission.enter()
        self._admission = admission

    def _leave(self) -> None:
        self.owner = None  # it knows us: a circle that the garbage collector would have to find
        self._savepoints.clear()
        self._seen.clear()
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave()

    async def _begin_session(self, mode: TransactionMode) -> None:
        self._open(mode)
        if mode is TransactionMode.WRITING:
            await self._step(self.session.sync_session.acquire)

    def _open(self, mode: TransactionMode, engine: AsyncEngine | None = None) -> None:
        assert self.owner is not None
        self._mode = mode
        # expire_on_commit: attributes that are read after a commit must not need the database.
        self._session = GuardedSession(
            engine or self._engines.engine(mode), expire_on_commit=False, join_transaction_mode="control_fully"
        )
        self._session.sync_session.owner = self.owner
        self._session.sync_session.streams = mode is not TransactionMode.READING

    def _begin_savepoint(self) -> Savepoint:
        savepoint = self.session.sync_session.begin_nested()
        self.session.sync_session.acquire()  # sends SAVEPOINT, which the next statement would
        return savepoint

    async def _step(self, step: Callable[[], Result]) -> Result:
        self.in_step = True
        self.is_committing = False
        try:
            return await greenlet_spawn(step)
        except Exception as error:
            try:
                if self.is_committing and _is_of_hook(error):
                    raise OutcomeUnknown("A hook failed during COMMIT: it may be stored") from error
                raise_translated(error, committing=self.is_committing)
            except OutcomeUnknown:
                await self.session.invalidate()  # the connection may still be in the transaction
                raise
        finally:
            self.in_step = False

    async def _close(self) -> None:
        """Roll back what is not committed. `abort` has to find the session until that is done."""
        session = self._session
        self.in_step = True
        try:
            if session is not None and session.in_transaction():
                try:
                    await session.close()
                except Exception:
                    await session.invalidate()  # the connection was lost, and with it the transaction
            elif session is not None and session.sync_session.identity_map:
                session.expunge_all()  # after COMMIT: objects that are kept belong to no session
            if session is not None and session.sync_session.holds_connection:
                await greenlet_spawn(session.sync_session.drop_connection)
        finally:
            self.in_step = False
            self._session = None


def _is_of_hook(error: Exception) -> bool:
    """Whether it was raised by an event of SQLAlchemy that an application listens to: `after_commit`, for one."""
    return isinstance(error, Conflict) or not isinstance(error, (SQLAlchemyError, StewardError, OSError))

"""The unit of work on a `Database`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Executable, Result
from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction

from ...domain.errors import OutcomeUnknown, StewardError
from ..transaction import Mode
from ..unit_of_work import BlockUnitOfWork
from .admission import Admission
from .attempts import DatabaseAttempts
from .error_translation import translating
from .idempotency import DatabaseIdempotencyKeys
from .items import DatabaseItems
from .seen_versions import Entity, SeenVersions
from .session_connection import SessionWithConnection, abort
from .sessions import DatabaseSessions
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


class DatabaseTransaction:
    """Owns the session of one outermost block after the other."""

    def __init__(self, database: "Database") -> None:
        self._database = database
        self._session: AsyncSession | None = None
        self._admission: Admission | None = None  # that has let us in
        self._savepoints: list[AsyncSessionTransaction] = []
        self._mode = Mode.READING
        self._seen = SeenVersions()

    @property
    def dialect(self) -> str:
        return self._database.dialect

    async def begin(self, mode: Mode) -> None:
        self._mode = mode
        admission = self._database.admission(mode)
        await admission.enter()
        self._admission = admission
        self._session = self._new_session(mode)
        if mode is Mode.WRITING:
            with translating():
                await self._session.connection()

    async def commit(self) -> None:
        try:
            with translating(committing=True):
                await self._open_session().commit()
        except OutcomeUnknown:
            await self._open_session().invalidate()  # its connection may still stand in the transaction
            raise

    async def end(self) -> None:
        self._savepoints.clear()
        self._seen.clear()
        try:
            await self._close_session()
        finally:
            admission, self._admission = self._admission, None
            if admission is not None:
                admission.leave()

    def abort(self) -> None:
        if self._session is not None:
            assert isinstance(self._session.sync_session, SessionWithConnection)
            abort(self._session.sync_session)

    async def _close_session(self) -> None:
        session = self._session
        if session is None:
            return
        try:
            await session.close()  # rolls back
        except Exception:  # the connection was lost, and with it the transaction
            await session.invalidate()
        finally:
            self._session = None

    async def savepoint(self) -> None:
        with translating():
            self._savepoints.append(await self._open_session().begin_nested())
        self._seen.savepoint()

    async def release_savepoint(self) -> None:
        with translating():
            await self._savepoints.pop().commit()
        self._seen.release()

    async def roll_back_savepoint(self) -> None:
        with translating():
            await self._savepoints.pop().rollback()
        self._seen.roll_back()

    async def pin_snapshot(self) -> None:
        """Between two statements of a reading block nothing is held, so its connection is changed for one inside a
        transaction; there are never two."""
        await self._close_session()
        self._session = self._new_session(Mode.SNAPSHOT)

    async def unpin_snapshot(self) -> None:
        await self._close_session()
        self._session = self._new_session(Mode.READING)

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        foreign_key: StewardError | None = None,
    ) -> Result[Any]:
        """Run one statement; `foreign_key` is what it means if a foreign key says no."""
        with translating(foreign_key=foreign_key):
            return await self._open_session().execute(statement, parameters)

    def read(self, entity: Entity) -> Entity:
        """Every entity that was read passes here: see `SeenVersions`. Without a transaction each read stands alone."""
        return self._seen.read(entity) if self._mode is Mode.WRITING else entity

    def wrote(self, entity: Entity) -> None:
        self._seen.wrote(entity)

    def wrote_many_items(self) -> None:
        self._seen.forget_items()

    def _new_session(self, mode: Mode) -> AsyncSession:
        return AsyncSession(
            self._database.engine(mode),
            expire_on_commit=False,
            close_resets_only=False,
            autoflush=False,
            sync_session_class=SessionWithConnection,
        )

    def _open_session(self) -> AsyncSession:
        assert self._session is not None, "the unit of work guards against this"
        return self._session

"""What a database does for one outermost block of a unit of work."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, NestedTransaction
from sqlalchemy.util import greenlet_spawn

from ...domain.errors import OutcomeUnknown, StewardError
from ..unit_of_work.transaction import TransactionMode
from .admission import Admission
from .engines import Engines
from .error_translation import raise_translated, translating
from .express.held_connection import HeldConnection
from .seen_versions import Entity, SeenVersions


class DatabaseTransaction:
    """Owns the connection of one outermost block after the other.

    A connection, not a session: rows become entities by hand, so there is no identity map to keep and nothing to
    flush, and what a session is beside that would cost a small transaction a quarter of its time (ADR 0026).
    """

    def __init__(self, engines: Engines) -> None:
        self.dialect = engines.dialect
        self._engines = engines
        self._held = HeldConnection(engines.engine, engines.direct)
        self._direct = engines.direct_reads()
        self._admission: Admission | None = None  # that has let us in
        self._savepoints: list[NestedTransaction] = []
        self._mode = TransactionMode.READING
        self._seen = SeenVersions()

    async def begin(self, mode: TransactionMode) -> None:
        self._mode = mode
        admission = self._engines.admission(mode)
        await admission.enter()
        self._admission = admission
        if mode is TransactionMode.WRITING:
            try:
                await self._held.begin(mode)
            except Exception as error:
                raise_translated(error)

    async def commit(self) -> None:
        try:
            await self._held.commit()
        except Exception as error:
            try:
                raise_translated(error, committing=True)
            except OutcomeUnknown:
                await self._held.invalidate()  # it may still stand in the transaction
                raise

    async def end(self) -> None:
        try:
            await self._close()
        finally:
            self._leave()

    def end_at_once(self) -> bool:
        if not self._held.close_at_once():
            return False
        if self._direct is not None:
            self._direct.end()
        self._leave()
        return True

    def _leave(self) -> None:
        self._savepoints.clear()
        self._seen.clear()
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave()

    def abort(self) -> None:
        self._held.abort()
        if self._direct is not None:
            self._direct.abort()

    async def savepoint(self) -> None:
        with translating():
            connection = await self._held.leave_lane()
            self._savepoints.append(await greenlet_spawn(connection.begin_nested))
        self._seen.savepoint()

    async def release_savepoint(self) -> None:
        with translating():
            await greenlet_spawn(self._savepoints.pop().commit)
        self._seen.release()

    async def roll_back_savepoint(self) -> None:
        with translating():
            await greenlet_spawn(self._savepoints.pop().rollback)
        self._seen.roll_back()

    async def pin_snapshot(self) -> None:
        """Between two statements of a reading block nothing is held, so its connection is changed for one inside a
        transaction; there are never two."""
        await self._close()
        self._mode = TransactionMode.SNAPSHOT

    async def unpin_snapshot(self) -> None:
        await self._close()
        self._mode = TransactionMode.READING

    async def fetch(
        self, statement: Executable, parameters: Mapping[str, Any], *, foreign_key: StewardError | None = None
    ) -> Any:
        """Run one that gives rows and is built once: straight by the driver, if that can be, for `Rows`. As to the
        rest see `execute`."""
        if self._direct is None:
            return await self.execute(statement, parameters, foreign_key=foreign_key)
        try:
            if self._mode is TransactionMode.READING:
                return await self._direct.fetch(statement, parameters)
            if not self._held.is_open:
                await self._held.begin(self._mode)
            return await self._held.fetch(statement, parameters)
        except Exception as error:
            raise_translated(error, foreign_key=foreign_key)

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        foreign_key: StewardError | None = None,
    ) -> Any:
        """Run any statement, for SQLAlchemy's `Result`. `foreign_key` is what it means if a foreign key says no."""
        assert self._direct is None or self._mode is not TransactionMode.READING, (
            "beside `fetch` it would take a second connection"
        )
        try:
            if not self._held.is_open:
                await self._held.begin(self._mode)
            connection = await self._held.leave_lane()
            return await greenlet_spawn(connection.execute, statement, parameters)
        except Exception as error:
            raise_translated(error, foreign_key=foreign_key)

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

    async def _close(self) -> None:
        if self._direct is not None:
            self._direct.end()
        await self._held.close()

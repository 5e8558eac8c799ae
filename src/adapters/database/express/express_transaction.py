"""A transaction that begins past SQLAlchemy, and is its session's as soon as anything is out of the ordinary."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable

from ....domain.errors import OutcomeUnknown, StewardError
from ...unit_of_work.transaction import TransactionMode
from ..engines import Engines
from ..error_translation import raise_translated
from ..session import GuardedSession
from ..session_transaction import SessionTransaction
from .direct_reads import DirectReads
from .direct_transactions import Direct
from .held_connection import HeldConnection


class ExpressTransaction(SessionTransaction):
    """Only BEGIN, a prebuilt statement, and a COMMIT that succeeds go past SQLAlchemy.

    Anything else leaves the lane, once and for good: an error, a savepoint, a rollback, a snapshot, a statement that is
    not prebuilt, `session`.

    | call              | no block | on the lane                            | left                |
    |-------------------|----------|----------------------------------------|---------------------|
    | `begin`           | enters   |                                        |                     |
    | `execute`         |          | by the driver if prebuilt, else leaves | by the session      |
    | `session`         |          | leaves                                 | the session         |
    | savepoint, flush  |          | leaves                                 | by the session      |
    | `commit`          |          | by the driver; an error leaves         | by the session      |
    | `end`             | nothing  | back to the pool, after a ROLLBACK by  | closes the session  |
    |                   |          | SQLAlchemy if it is not committed      |                     |
    """

    def __init__(self, engines: Engines, direct: Direct, reads: DirectReads) -> None:
        super().__init__(engines)
        self._direct = direct
        self._reads = reads
        self._held = HeldConnection(direct)
        self._is_on_lane = False
        self._is_logged = False

    @property
    def session(self) -> GuardedSession:
        self._leave_lane()
        return super().session

    async def begin(self, mode: TransactionMode) -> None:
        if mode is TransactionMode.SNAPSHOT:
            await super().begin(mode)
            return
        await self._enter(mode)
        if mode is TransactionMode.WRITING:
            try:
                if not await self._held.begin():
                    await self._begin_session(mode)
                    return
            except Exception as error:
                raise_translated(error)
        self._is_logged = self._direct.log.is_on()
        if self._is_logged and mode is TransactionMode.WRITING:
            self._direct.log.note("BEGIN (express lane)")
        self._mode = mode
        self._held.listener = self.owner
        self._is_on_lane = True

    async def execute(
        self,
        statement: Executable,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        *,
        foreign_key: StewardError | None = None,
    ) -> Any:
        """As in `SessionTransaction`; the rows of a prebuilt statement are `Rows`."""
        if self._is_on_lane and isinstance(parameters, dict):  # without parameters it may be made for this execution
            try:
                is_reading = self._mode is TransactionMode.READING
                if is_reading and self._reads.needs_connection:
                    await self._reads.connect()
                if (direct := self._direct.statements(statement)).takes(parameters):
                    if self._is_logged:
                        self._direct.log.statement(direct, parameters)
                    return await (self._reads if is_reading else self._held).fetch(direct, parameters)
            except Exception as error:
                self._leave_lane()
                raise_translated(error, foreign_key=foreign_key)
        return await super().execute(statement, parameters, foreign_key=foreign_key)

    async def commit(self) -> None:
        if not self._is_on_lane:
            # A session that was never used has not taken the transaction over, and would commit nothing.
            await self._step(self.session.sync_session.acquire)
            await super().commit()
            return
        self.in_step = True
        if self._is_logged:
            self._direct.log.note("COMMIT")
        try:
            await self._held.commit()
        except Exception as error:
            self._leave_lane()
            try:
                raise_translated(error, committing=True)
            except OutcomeUnknown:
                await self._held.invalidate()  # it may still stand in the transaction
                raise
        finally:
            self.in_step = False

    async def flush(self) -> None:
        self._leave_lane()
        await super().flush()

    async def savepoint(self) -> None:
        self._leave_lane()
        await super().savepoint()

    async def pin_snapshot(self) -> None:
        self._leave_lane()
        await super().pin_snapshot()

    async def end(self) -> None:
        try:
            self._reads.end()
            await self._close()
        finally:
            self.in_step = True  # ROLLBACK
            try:
                await self._held.close()
            finally:
                self.in_step = False
                self._leave()

    def end_at_once(self) -> bool:
        if self._session is not None or not self._held.close_at_once():
            return False
        self._reads.end()
        self._leave()
        return True

    def abort(self) -> None:
        super().abort()
        self._held.abort()
        self._reads.abort()

    def _leave(self) -> None:
        self._is_on_lane = False
        self._held.listener = None
        super()._leave()

    def _leave_lane(self) -> None:
        """Give the transaction, as it stands, to a session."""
        if not self._is_on_lane:
            return
        self._is_on_lane = False
        self._reads.end()
        self._open(self._mode, self._engines.by_mode[self._mode])  # also if the database has been closed meanwhile
        if self._mode is TransactionMode.WRITING:
            self.session.sync_session.handed_over = self._held.as_connection

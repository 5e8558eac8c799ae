"""A database: its engines, its plain sessions and its units of work."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from functools import cached_property, partial
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.pool import AsyncAdaptedQueuePool

from ..clock import system_clock
from ..unit_of_work.completion import run_to_completion
from ..unit_of_work.transaction import TransactionMode
from .admission import Admission
from .context_manager_or_dependency import ContextManagerOrDependency, RequestSession, request_session
from .engines import PoolSettings, create_engines
from .express import lane as _express_lane  # noqa: F401 - registers itself; may be deleted with its package
from .express_lane import usable_lane
from .plain_session import OneTaskSession
from .session_block import session_block
from .session_transaction import SessionTransaction
from .unit_of_work import DatabaseUnitOfWork


class Database:
    """One for each process and event loop; nothing is connected before it is used. Close it with `aclose`;
    it stays closed, and its sessions and units of work then raise `DatabaseUnavailable`.

    `url` begins with `sqlite+aiosqlite:` (a file, or `sqlite+aiosqlite:///:memory:`) or `postgresql+asyncpg:`;
    any other, and one with options of SQLite, raises `ValueError`. `echo` logs every statement with its parameters to
    the logger `sqlalchemy.engine`. `express=False` sends every statement through SQLAlchemy. So does, with a warning in
    the log, an installed library that is not as the express lane needs it.

        async with database.session() as session:                # a script
            ...
        async def route(session: Annotated[AsyncSession, Depends(database.session)]):   # FastAPI
            ...

    Both commit on success, before the response is sent, roll back on an exception and always close.
    """

    def __init__(
        self,
        url: str,
        *,
        pool: PoolSettings | None = None,
        echo: bool = False,
        express: bool = True,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        self.url = make_url(url)
        self.clock = clock
        self.pool_settings = pool or PoolSettings()
        lane = usable_lane() if express else None
        pool_class = AsyncAdaptedQueuePool if lane is None else lane.pool_class
        self.engines = create_engines(self.url, self.pool_settings, echo=echo, pool_class=pool_class)
        self.lane = None if lane is None else lane.on(self.engines, self.pool_settings)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engines.dialect

    def unit_of_work(self) -> DatabaseUnitOfWork:
        transaction = SessionTransaction(self.engines) if self.lane is None else self.lane.transaction()
        return DatabaseUnitOfWork(self, transaction, self.clock)

    @cached_property
    def session(self) -> ContextManagerOrDependency:
        """A session that may write: `async with database.session() as session`, or `Depends(database.session)`.

        The block commits when it ends, unless it is left by an exception, which rolls back and arrives unchanged. In a
        route the block ends after the route's function and before the response is sent: a commit that fails is
        answered as an error. A response with status 4xx that is *returned* is no exception, and commits: raise
        `HTTPException`, or call `await session.rollback()`. `commit()` is allowed at any time, and what follows is
        a transaction of its own; `rollback()`, `close()` and `reset()` give up what is not committed.

        Autoflush is off: `await session.flush()` makes pending rows visible to one's own queries.

        A request has one session. A route with both `Depends(database.session)` and `Depends(database.reader)`, also
        those of its dependencies, gets the same object, which may write. It does not outlive the route's function: a
        streamed response, a background task and a WebSocket, which is refused, write `async with`.

        `session_block` lists the errors.
        """
        return ContextManagerOrDependency(self._block(TransactionMode.WRITING), lambda: self._request_session.session)

    @cached_property
    def reader(self) -> ContextManagerOrDependency:
        """The twin of `session` for reads: no BEGIN, and on SQLite no waiting for the writer.

        Each statement sees its own snapshot. A write raises `ReadOnly`, and that from the database, not from a
        reading of the SQL; unless the request has a `session` too, which the reader then is.
        """
        return ContextManagerOrDependency(self._block(TransactionMode.READING), lambda: self._request_session.reader)

    @cached_property
    def _request_session(self) -> RequestSession:
        return request_session(self._block(TransactionMode.READING))

    def _block(self, mode: TransactionMode) -> Callable[[], AbstractAsyncContextManager[OneTaskSession]]:
        return partial(session_block, self.engines, mode, self)

    @property
    def admissions(self) -> Mapping[str, Admission]:
        """By the name of the pool: `connections` on PostgreSQL, `writer` and `readers` on a SQLite file, `connection`
        in memory."""
        return {admission.name: admission for admission in self.engines.admissions.values()}

    async def ping(self, *, timeout: float = 2.0) -> None:
        """Ask the database, by a connection outside the pools; one in memory is always there.

        Raises a `StorageError`, `DeadlineExceeded` after `timeout` seconds among them.
        """
        self.engines.engine(TransactionMode.READING)
        if self.engines.probe is not None:
            await self.engines.probe.ask(timeout)

    def checked_out(self) -> int:
        """How many connections are in use."""
        return sum(engine.pool.checkedout() for engine in self.engines.pools)  # type: ignore[attr-defined]

    async def aclose(self) -> None:
        """Run to its end also when the task is cancelled. To close it again does nothing."""
        self.engines.is_closed = True
        if self.lane is not None:
            self.lane.close()
        await run_to_completion(self.engines.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

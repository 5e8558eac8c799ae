"""A database: its engines, its plain sessions and its units of work."""

from collections.abc import AsyncGenerator, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Self

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from ...domain.errors import DatabaseUnavailable
from ..clock import system_clock
from ..unit_of_work.completion import run_to_completion
from ..unit_of_work.transaction import TransactionMode
from .admission import Admission
from .context_manager_or_dependency import context_manager_or_dependency
from .engines import PoolSettings, create_engines
from .express.direct_reads import DirectReads
from .plain_session import OneTaskSession, ReaderSession, session_block
from .unit_of_work import DatabaseUnitOfWork


class Database:
    """One for each process and event loop; nothing is connected before it is used. Close it with `aclose`;
    it stays closed, and its sessions and units of work then raise `DatabaseUnavailable`.

    `url` begins with `sqlite+aiosqlite:` (a file, or `sqlite+aiosqlite:///:memory:`) or `postgresql+asyncpg:`;
    any other, and one with options of SQLite, raises `ValueError`. `echo` logs every statement with its parameters.

        async with database.session() as session:                # a script
            ...
        async def route(session: Annotated[AsyncSession, Depends(database.session, scope="function")]):
            ...

    Both commit on success, before the response is sent, roll back on any error and always close.
    """

    def __init__(
        self,
        url: str,
        *,
        pool: PoolSettings | None = None,
        echo: bool = False,
        clock: Callable[[], datetime] = system_clock,
    ) -> None:
        self.url = make_url(url)
        self.clock = clock
        self.pool_settings = pool or PoolSettings()
        self.engines = create_engines(self.url, self.pool_settings, echo=echo)
        self._is_closed = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    def unit_of_work(self) -> DatabaseUnitOfWork:
        return DatabaseUnitOfWork(self)

    # No parameters: as a dependency, FastAPI would offer them to every client as query parameters.
    @context_manager_or_dependency
    async def session(self) -> AsyncGenerator[AsyncSession, None]:
        """A session that may write; see `session_block` for what it promises."""
        async with session_block(
            self._session(TransactionMode.WRITING), self, self.admission(TransactionMode.WRITING)
        ) as session:
            yield session

    @context_manager_or_dependency
    async def reader(self) -> AsyncGenerator[AsyncSession, None]:
        """The twin of `session` for reads: no BEGIN, and on SQLite no waiting for the writer.

        Each statement sees its own snapshot. A write raises `ReadOnly`, and that from the database, not from a
        reading of the SQL.
        """
        async with session_block(
            self._session(TransactionMode.READING), self, self.admission(TransactionMode.READING)
        ) as session:
            yield session

    def engine(self, mode: TransactionMode) -> AsyncEngine:
        """For a session or a unit of work."""
        self._refuse_if_closed()
        return self.engines.by_mode[mode]

    def admission(self, mode: TransactionMode) -> Admission:
        """Whoever uses a pool has entered here before."""
        self._refuse_if_closed()
        return self.engines.admissions[mode]

    @property
    def admissions(self) -> Mapping[str, Admission]:
        """By the name of the pool: `connections` on PostgreSQL, `writer` and `readers` on a SQLite file, `connection`
        in memory."""
        return {admission.name: admission for admission in self.engines.admissions.values()}

    async def ping(self, *, timeout: float = 2.0) -> None:
        """Ask the database, by a connection outside the pools; one in memory is always there.

        Raises a `StorageError`, `DeadlineExceeded` after `timeout` seconds among them.
        """
        self.engine(TransactionMode.READING)
        if self.engines.probe is not None:
            await self.engines.probe.ask(timeout)

    def direct_reads(self) -> DirectReads | None:
        """For a unit of work; None where its statements all go through SQLAlchemy."""
        direct = self.engines.direct
        engine = partial(self.engine, TransactionMode.READING)
        return None if direct is None else DirectReads(engine, direct.statements, self.engines.inline)

    def _session(self, mode: TransactionMode) -> OneTaskSession:
        make = OneTaskSession if mode is TransactionMode.WRITING else ReaderSession
        return make(
            self.engine(mode),
            expire_on_commit=False,  # attributes read after a commit must not need the database
            close_resets_only=False,  # a session used after its block says so, instead of leaking a connection
        )

    def _refuse_if_closed(self) -> None:
        """A pool that was closed would connect again, and nobody would close that."""
        if self._is_closed:
            raise DatabaseUnavailable("The database has been closed")

    def checked_out(self) -> int:
        """How many connections are in use."""
        return sum(engine.pool.checkedout() for engine in self.engines.pools)  # type: ignore[attr-defined]

    async def aclose(self) -> None:
        """Run to its end also when the task is cancelled. To close it again does nothing."""
        self._is_closed = True
        await run_to_completion(self.engines.close())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

"""The engines of one database: one for each way in which a block uses it."""

import json
import sqlite3
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from ...domain.errors import DatabaseUnavailable, ReadOnly
from ..unit_of_work.transaction import TransactionMode
from .admission import Admission
from .connection_events import tell_listeners
from .drivers import postgres, sqlite
from .drivers.lost_connections import check_at_checkout, drop_if_lost
from .drivers.pooled_connections import keep_connections_clean
from .drivers.sqlite_file import DatabaseFile
from .probe import Probe

_BEGIN = "steward_begin"
_READS_ONLY = {"steward_reads_only": True}


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Times in seconds. `size` is the number of connections, of readers on a SQLite file (it has one writer); so many
    units of work as `queue` says wait for each kind of them.

    A PostgreSQL connection that has idled for `ping` is asked whether it is still there before it is used. `pooler` is
    `none` or `pgbouncer`; `isolation` is that of PostgreSQL's writing transactions, `read_committed` or `serializable`.
    """

    size: int = 16
    wait: float = 2.0
    queue: int = 128
    connect: float = 3.0
    statement: float = 5.0
    busy: float = 2.0
    ping: float = 2.0
    pooler: str = "none"
    isolation: str = "read_committed"


@dataclass(slots=True)
class Engines:
    """`anchor` keeps a database in memory alive while its only pooled connection is replaced."""

    dialect: str
    by_mode: dict[TransactionMode, AsyncEngine]
    admissions: dict[TransactionMode, Admission]
    pools: tuple[AsyncEngine, ...]
    background_closer: postgres.BackgroundCloser
    probe: Probe | None = None
    file: DatabaseFile | None = None
    anchor: sqlite3.Connection | None = None
    is_closed: bool = False

    def __post_init__(self) -> None:
        for engine in self.pools:
            event.listen(engine.sync_engine, "checkin", self._drop_if_closed)

    def _drop_if_closed(self, _: Any, entry: ConnectionPoolEntry) -> None:
        """Nothing would come for a connection that returns to a pool that was closed."""
        if self.is_closed:
            entry.invalidate()

    def engine(self, mode: TransactionMode) -> AsyncEngine:
        """For a session or a unit of work."""
        self._refuse_if_closed()
        return self.by_mode[mode]

    def admission(self, mode: TransactionMode) -> Admission:
        """Return the queue to enter before a connection of its pool is used."""
        self._refuse_if_closed()
        return self.admissions[mode]

    def _refuse_if_closed(self) -> None:
        """Raise `DatabaseUnavailable`: a pool that was closed would connect again, and stay open."""
        if self.is_closed:
            raise DatabaseUnavailable("The database has been closed")

    async def close(self) -> None:
        # A step that fails keeps none of the others from being done. The last one in is the first one out.
        async with AsyncExitStack() as steps:
            if self.anchor is not None:
                steps.callback(self.anchor.close)
            steps.push_async_callback(self.background_closer.wait)
            for engine in reversed(self.pools):
                steps.push_async_callback(engine.dispose)
            if self.probe is not None:
                steps.push_async_callback(self.probe.close)


def create_engines(url: URL, pool: PoolSettings, *, echo: bool, pool_class: type[AsyncAdaptedQueuePool]) -> Engines:
    """Nothing is connected yet. Raises `ValueError` for a URL of another driver, or one that asks SQLite for more
    than a file."""
    if url.drivername == "postgresql+asyncpg":
        return _postgres(url, pool, echo=echo, pool_class=pool_class)
    if url.drivername == "sqlite+aiosqlite":
        sqlite.refuse_options(url)
        if sqlite.is_in_memory(url):
            return _sqlite_memory(url, pool, echo=echo, pool_class=pool_class)
        return _sqlite_file(url, pool, echo=echo, pool_class=pool_class)
    raise ValueError(f"The URL must begin with sqlite+aiosqlite: or postgresql+asyncpg:, not {url.drivername}:")


def _postgres(url: URL, pool: PoolSettings, *, echo: bool, pool_class: type[AsyncAdaptedQueuePool]) -> Engines:
    postgres.check_url(url)
    background_closer = postgres.BackgroundCloser()
    arguments = postgres.connect_arguments(
        background_closer, connect_timeout=pool.connect, statement_timeout=pool.statement, pooler=pool.pooler
    )
    engine = _create(url, arguments, size=pool.size, wait=pool.wait, echo=echo, pool_class=pool_class)
    postgres.decode_json(engine.dialect, _from_json)
    check_at_checkout(engine.sync_engine, after=pool.ping, timeout=pool.connect)
    asking = _create(url, arguments, size=1, wait=pool.wait, echo=echo, pool_class=pool_class)
    check_at_checkout(asking.sync_engine, after=0, timeout=pool.connect)
    read_only = {"postgresql_readonly": True, **_READS_ONLY}
    return Engines(
        url.get_backend_name(),
        {
            # Read committed is what PostgreSQL does unless it was told otherwise, and stricter breaks no promise.
            TransactionMode.WRITING: engine.execution_options(isolation_level="SERIALIZABLE")
            if pool.isolation == "serializable"
            else engine,
            # Without BEGIN and COMMIT a read is one round trip instead of three. Through PgBouncer nothing but BEGIN
            # brings the timeout, and the word that this is not to write.
            TransactionMode.READING: engine.execution_options(isolation_level="AUTOCOMMIT", **read_only)
            if pool.pooler == "none"
            else engine.execution_options(isolation_level="READ COMMITTED", **read_only),
            TransactionMode.SNAPSHOT: engine.execution_options(isolation_level="REPEATABLE READ", **read_only),
        },
        dict.fromkeys(TransactionMode, _admission("connections", pool.size, pool)),
        (engine,),
        background_closer,
        probe=Probe(asking.execution_options(isolation_level="AUTOCOMMIT")),
    )


def _sqlite_file(url: URL, pool: PoolSettings, *, echo: bool, pool_class: type[AsyncAdaptedQueuePool]) -> Engines:
    assert url.database is not None
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(f"The folder of the database file cannot be made: {error.strerror}") from error
    file = DatabaseFile(url.database, busy_timeout=pool.busy)
    # A pool of one is the queue of the writers: waiting there is fair and can be cancelled, and is three times as
    # fast as waiting in SQLite's busy handler, which sleeps.
    writer = _create(url, _sqlite_arguments(file, pool), size=1, wait=pool.wait, echo=echo, pool_class=pool_class)
    reading = _sqlite_arguments(file, pool, read_only=True)
    reader = _create(url, reading, size=pool.size, wait=pool.wait, echo=echo, pool_class=pool_class, ends_bare=True)
    _begin_by_hand(writer.sync_engine)
    _begin_by_hand(reader.sync_engine)
    event.listen(writer.sync_engine, "handle_error", _drop_if_read_only)
    asking = _create(url, reading, size=1, wait=pool.wait, echo=echo, pool_class=pool_class)
    for engine in (writer, reader, asking):
        event.listen(engine.sync_engine, "checkout", lambda *_: file.refuse_if_moved())
    readers = _admission("readers", pool.size, pool)
    return Engines(
        url.get_backend_name(),
        {
            # Begin as a writer at once: a transaction that reads first and writes later fails with SQLITE_BUSY
            # whenever another has written between, whatever the busy timeout says.
            TransactionMode.WRITING: writer.execution_options(**{_BEGIN: ("BEGIN IMMEDIATE",)}),
            TransactionMode.READING: reader.execution_options(**_READS_ONLY),
            TransactionMode.SNAPSHOT: reader.execution_options(**{_BEGIN: ("BEGIN",)}, **_READS_ONLY),
        },
        {
            TransactionMode.WRITING: _admission("writer", 1, pool),
            TransactionMode.READING: readers,
            TransactionMode.SNAPSHOT: readers,
        },
        (writer, reader),
        postgres.BackgroundCloser(),
        probe=Probe(asking),
        file=file,
    )


def _sqlite_memory(url: URL, pool: PoolSettings, *, echo: bool, pool_class: type[AsyncAdaptedQueuePool]) -> Engines:
    # A named shared cache, so that the database outlives its connection, and a pool of one, because connections on
    # a shared cache fail with "table is locked" instead of waiting.
    name = f"file:steward-{uuid.uuid4().hex}?mode=memory&cache=shared"
    engine = _create(url, _sqlite_arguments(name, pool), size=1, wait=pool.wait, echo=echo, pool_class=pool_class)
    _begin_by_hand(engine.sync_engine)
    read_only, read_write = "PRAGMA query_only = ON", "PRAGMA query_only = OFF"
    return Engines(
        url.get_backend_name(),
        {
            TransactionMode.WRITING: engine.execution_options(**{_BEGIN: (read_write, "BEGIN IMMEDIATE")}),
            TransactionMode.READING: engine.execution_options(**{_BEGIN: (read_only,)}, **_READS_ONLY),
            TransactionMode.SNAPSHOT: engine.execution_options(**{_BEGIN: (read_only, "BEGIN")}, **_READS_ONLY),
        },
        dict.fromkeys(TransactionMode, _admission("connection", 1, pool)),
        (engine,),
        postgres.BackgroundCloser(),
        anchor=sqlite3.connect(name, uri=True, check_same_thread=False),
    )


def _sqlite_arguments(database: str | DatabaseFile, pool: PoolSettings, *, read_only: bool = False) -> dict[str, Any]:
    connect = sqlite.connector(database, read_only=read_only, busy_timeout=pool.busy, statement_timeout=pool.statement)
    return {"async_creator_fn": connect}


def _admission(name: str, size: int, pool: PoolSettings) -> Admission:
    return Admission(name, size, most_waiting=pool.queue, longest_wait=pool.wait)


def _create(
    url: URL,
    arguments: dict[str, Any],
    *,
    size: int,
    wait: float,
    echo: bool,
    pool_class: type[AsyncAdaptedQueuePool],
    ends_bare: bool = False,
) -> AsyncEngine:
    """`ends_bare`: whoever uses a connection leaves it outside a transaction. Nothing is rolled back then."""
    engine = create_async_engine(
        url,
        connect_args=arguments,
        poolclass=pool_class,
        pool_size=size,
        max_overflow=0,
        pool_timeout=wait,
        pool_recycle=1800,
        pool_reset_on_return=None if ends_bare else "rollback",
        echo=echo,
        hide_parameters=not echo,  # an error's text ends up in logs
        json_serializer=_to_json,
        json_deserializer=_from_json,
    )
    tell_listeners(engine.sync_engine)
    keep_connections_clean(engine.sync_engine)
    event.listen(engine.sync_engine, "handle_error", _say_read_only)
    if url.get_backend_name() == "postgresql":
        event.listen(engine.sync_engine, "handle_error", drop_if_lost)
        event.listen(engine.sync_engine, "connect", postgres.let_write)
    return engine


def _say_read_only(context: ExceptionContext) -> None:
    """A reader is refused by the database, whatever the write looks like; each database says it in its own words."""
    connection, error = context.connection, context.original_exception
    if connection is None or not (_READS_ONLY.items() <= connection.get_execution_options().items()):
        return
    if getattr(error, "sqlstate", None) == "25006" or getattr(error, "sqlite_errorname", None) == "SQLITE_READONLY":
        raise ReadOnly("A reader cannot write")


def _drop_if_read_only(context: ExceptionContext) -> None:
    """SQLite opens a file that it may not write for reading, without a word, and such a connection would stay as it is
    when the file may be written again."""
    if getattr(context.original_exception, "sqlite_errorname", "").startswith("SQLITE_READONLY"):
        context.is_disconnect = True


# Made once: `json.dumps` makes one for each call.
_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_from_json = msgspec.json.Decoder().decode


def _begin_by_hand(engine: Engine) -> None:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        for statement in connection.get_execution_options().get(_BEGIN, ()):
            connection.exec_driver_sql(statement)

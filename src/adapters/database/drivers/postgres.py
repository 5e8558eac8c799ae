"""Everything that is odd about PostgreSQL and asyncpg, each line with its reason."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import asyncpg
from sqlalchemy import URL
from sqlalchemy.pool import ConnectionPoolEntry

from .connector import Connector

_LAST_CLOSE = 2.0  # seconds, as SQLAlchemy allows
SYNCHRONIZE_TIMEOUT = 5.0  # seconds
RESET_TIMEOUT = 5.0  # seconds

# DISCARD ALL, but for DEALLOCATE ALL and DISCARD PLANS: asyncpg keeps prepared statements.
_RESET = """
SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP;
DISCARD SEQUENCES
"""


class BackgroundCloser(set[asyncio.Task[None]]):
    """The connections that are being closed in the background; `Database.aclose` waits for them."""

    def start(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(closing)
        self.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.discard(task)
        if not task.cancelled():
            task.exception()  # the connection is gone either way

    async def wait(self) -> None:
        while self:
            await asyncio.wait(self)


def connection_class(
    background_closer: BackgroundCloser, *, of_transaction: dict[str, str]
) -> type[asyncpg.Connection]:
    """`of_transaction` are settings for each transaction, where the connection cannot have them."""
    set_local = "".join(f" SET LOCAL {name} = '{value}';" for name, value in of_transaction.items())

    class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg brings no types
        """Begins transactions that may write, and is closed in the background.

        asyncpg asks the server to cancel the statement and waits for its answer before it closes, for as long as
        SQLAlchemy lets it (2 s). Whoever was cancelled, a request past its deadline, should not wait for that; and a
        pool whose server is gone without a word should not wait for one connection after the other.
        """

        _is_closing_apart = False
        may_write = False
        _protocol: Any  # None in the eyes of a type checker, because asyncpg makes it so in the end

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
            if query.startswith("BEGIN"):
                return await self._begin(query)
            if query.startswith("COMMIT"):
                return await self._commit(query)
            status: str = await super().execute(query, *args, timeout=timeout)
            return status

        async def _begin(self, query: str) -> str:
            if self.may_write and "READ ONLY" not in query:  # asyncpg knows no other way to say it
                query = query.removesuffix(";") + " READ WRITE;"
            try:
                status: str = await super().execute(query + set_local)
            except asyncpg.FeatureNotSupportedError as error:
                # A standby refuses READ WRITE as a feature that it lacks. It is what else it calls 25006.
                raise asyncpg.ReadOnlySQLTransactionError("This server is a standby: it cannot write") from error
            except BaseException:
                self._top_xact = None  # asyncpg sets it before it sends BEGIN, and would make a SAVEPOINT of the next
                raise
            return status

        async def _commit(self, query: str) -> str:
            """Raises an `InterfaceError` if the connection was certainly lost before COMMIT, and 25P02 if the server
            has answered with ROLLBACK, as it does after a failed statement."""
            protocol = self._protocol  # None once the connection has been aborted
            sent = protocol.queries_count if protocol is not None else 0
            try:
                status: str = await super().execute(query)
            except asyncpg.InternalClientError as error:
                # A server's farewell has come before, and asyncpg cannot begin a query after it. It counts those that
                # it has sent.
                if protocol is None or protocol.queries_count == sent:
                    raise asyncpg.InterfaceError("the server had ended the connection before COMMIT") from error
                raise
            except asyncpg.ConnectionDoesNotExistError as error:
                if isinstance(error.__cause__, asyncpg.IdleInTransactionSessionTimeoutError):
                    raise asyncpg.InterfaceError("the server had rolled back before COMMIT") from error
                raise
            if status != "COMMIT":
                raise asyncpg.InFailedSQLTransactionError("the server has answered COMMIT with ROLLBACK")
            return status

        async def synchronize(self) -> bool:
            """After an error that asyncpg has raised by itself: end what it has begun to send.

            It sends Parse before it encodes the arguments, and Sync with these. Between the two the server is inside
            an implicit transaction, and refuses the next BEGIN ("transaction read-write mode must be set before any
            query"). A simple query ends it.

            Returns:
                False if the connection has to be dropped.
            """
            try:
                await super().execute("SELECT 1", timeout=SYNCHRONIZE_TIMEOUT)
            except asyncpg.InFailedSQLTransactionError:
                return True  # the server has answered
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                return False
            return True

        def get_reset_query(self) -> str:
            """What `reset` sends. Through PgBouncer nothing: it would reach whichever server connection is free."""
            return "" if set_local else _RESET

        async def close(self, *, timeout: float | None = None) -> None:
            self._close_apart(timeout or _LAST_CLOSE)

        def terminate(self) -> None:
            # What SQLAlchemy does when it is cancelled once more while it drops one. Aborted without a request to
            # cancel, the server would go on with the statement, and its locks, until it looks for its client.
            try:
                asyncio.get_running_loop()
            except RuntimeError:  # the garbage collector calls, after the end of the loop
                super().terminate()
            else:
                self._close_apart(_LAST_CLOSE)

        def _close_apart(self, timeout: float) -> None:
            if not self._is_closing_apart:
                self._is_closing_apart = True
                background_closer.start(self._close_or_abort(timeout))

        async def _close_or_abort(self, timeout: float) -> None:
            try:
                await super().close(timeout=timeout)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                super().terminate()

    return Connection


def let_write(connection: Any, _: ConnectionPoolEntry) -> None:
    """The last of an engine's listeners to `connect`. One of SQLAlchemy's begins a transaction before, to learn about
    the server, and must not be refused by a standby that others will only read from.
    """
    connection.driver_connection.may_write = True


def decode_json(dialect: Any, decode: Callable[[bytes], Any]) -> None:
    """Let asyncpg call `decode` for JSON. SQLAlchemy has it call a function of Python's for each value, which decodes
    the bytes first."""

    async def set_up(connection: Any) -> None:
        await connection.driver_connection.set_type_codec(
            "json", schema="pg_catalog", encoder=str.encode, decoder=decode, format="binary"
        )

    dialect.setup_asyncpg_json_codec = set_up  # which it calls for each connection, so that it can be overridden


def check_url(url: URL) -> None:
    """Raises `ValueError` for several hosts of which one has no port: the driver would say so when it connects."""
    hosts = url.query.get("host", ())
    with_ports = url.host is None and all(host.rpartition(":")[2].isdigit() for host in hosts)
    if isinstance(hosts, tuple) and len(hosts) > 1 and not with_ports:
        raise ValueError("several hosts are given as ?host=a:5432&host=b:5432, each with its port")


def driver_arguments(*, connect_timeout: float, pooler: str) -> dict[str, Any]:
    """What every connection needs, also one without the timeouts of everyday statements; `connect_timeout` is in
    seconds, `pooler` is `none` or `pgbouncer`.
    """
    arguments: dict[str, Any] = {"async_creator_fn": Connector(connect_timeout)}
    if pooler == "pgbouncer":
        # In transaction mode the next transaction is another server connection's, which knows nothing of statements
        # that were prepared on this one, or has others of the same name. asyncpg's cache, and SQLAlchemy's:
        arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
    return arguments


def connect_arguments(
    background_closer: BackgroundCloser, *, connect_timeout: float, statement_timeout: float, pooler: str
) -> dict[str, Any]:
    """Of the connections of a pool. Timeouts in seconds."""
    of_connection = {"application_name": "steward", "timezone": "UTC"}
    of_statement = {
        "statement_timeout": f"{statement_timeout:.3f}s",
        "idle_in_transaction_session_timeout": f"{max(statement_timeout * 4, 20):.3f}s",
        # Without it a statement whose client has gone goes on to its end, with its locks.
        "client_connection_check_interval": "500ms",
        "jit": "off",  # compiling takes longer than any of our statements
    }
    arguments = {
        **driver_arguments(connect_timeout=connect_timeout, pooler=pooler),
        # The server's own timeout strikes first; this one is for a server that no longer answers.
        "command_timeout": statement_timeout + 2,
    }
    if pooler == "pgbouncer":  # it refuses all other settings of a connection ("unsupported startup parameter")
        return arguments | {
            "connection_class": connection_class(background_closer, of_transaction=of_statement),
            "server_settings": of_connection,
        }
    return arguments | {
        "connection_class": connection_class(background_closer, of_transaction={}),
        "server_settings": {
            **of_connection,
            **of_statement,
            # So a statement outside a transaction cannot write: that is how readers run theirs.
            "default_transaction_read_only": "on",
            # A client that is gone without a word is found out, and its locks are free, after some ten seconds.
            "tcp_keepalives_idle": "5",
            "tcp_keepalives_interval": "2",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": "10s",
        },
    }

"""Everything that is odd about PostgreSQL and asyncpg, each line with its reason."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg

_LAST_CLOSE = 2.0  # seconds, as SQLAlchemy allows


class ClosingApart(set[asyncio.Task[None]]):
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


def connection_class(closing_apart: ClosingApart) -> type[asyncpg.Connection]:
    class Connection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg brings no types
        """Begins transactions that may write, and drops a cancelled connection in the background.

        asyncpg asks the server to cancel the statement and waits for its answer before it closes, for as long as
        SQLAlchemy lets it (2 s). Whoever was cancelled, a request past its deadline, should not wait for that.
        """

        _is_closing_apart = False

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
            if query.startswith("BEGIN") and "READ ONLY" not in query:  # asyncpg knows no other way to say it
                query = query.removesuffix(";") + " READ WRITE;"
            status: str = await super().execute(query, *args, timeout=timeout)
            return status

        async def close(self, *, timeout: float | None = None) -> None:
            if timeout is None:
                await super().close()
            else:  # SQLAlchemy gives a timeout when it drops a connection that is not to be used again
                self._close_apart(timeout)

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
                closing_apart.start(self._close_or_abort(timeout))

        async def _close_or_abort(self, timeout: float) -> None:
            try:
                await super().close(timeout=timeout)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                super().terminate()

    return Connection


def connect_arguments(
    closing_apart: ClosingApart, *, connect_timeout: float, statement_timeout: float
) -> dict[str, Any]:
    """Timeouts in seconds."""
    return {
        "connection_class": connection_class(closing_apart),
        "timeout": connect_timeout,
        # The server's own timeout strikes first; this one is for a server that no longer answers.
        "command_timeout": statement_timeout + 2,
        "server_settings": {
            "application_name": "steward",
            "timezone": "UTC",
            # So a statement outside a transaction cannot write: that is how readers run theirs.
            "default_transaction_read_only": "on",
            "statement_timeout": f"{statement_timeout:.3f}s",
            "idle_in_transaction_session_timeout": f"{max(statement_timeout * 4, 20):.3f}s",
            # Without it a statement whose client has gone goes on to its end, with its locks.
            "client_connection_check_interval": "500ms",
            "jit": "off",  # compiling takes longer than any of our statements
        },
    }

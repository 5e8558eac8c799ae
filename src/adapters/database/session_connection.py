"""Which connection a session uses."""

import asyncpg
from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction


class SessionWithConnection(Session):
    """Knows its connection, also while something that is no method of the session uses it."""

    in_use: Connection | None = None


@event.listens_for(SessionWithConnection, "after_begin")
def _remember_connection(session: SessionWithConnection, _: SessionTransaction, connection: Connection) -> None:
    session.in_use = connection


def abort(connection: Connection | None) -> None:
    """Cut it without a word to the server: whoever waits for an answer by it gets an error at once.

    For a server that does not answer. On SQLite it does nothing: a disk that does not answer cannot be left.
    """
    if connection is None or connection.closed or connection.invalidated:
        return
    driver = connection.connection.driver_connection
    if isinstance(driver, asyncpg.Connection):
        asyncpg.Connection.terminate(driver)  # ours would ask the server to cancel, first

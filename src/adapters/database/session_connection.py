"""Which connection a session uses."""

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction


class SessionWithConnection(Session):
    """Knows its connection, also while something that is no method of the session uses it."""

    in_use: Connection | None = None


@event.listens_for(SessionWithConnection, "after_begin")
def _remember_connection(session: SessionWithConnection, _: SessionTransaction, connection: Connection) -> None:
    session.in_use = connection

"""How Alembic compares the tables with a database when it writes a new revision."""

from typing import Any

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Column


def comparison(dialect: str) -> dict[str, Any]:
    """The options for `MigrationContext.configure`."""
    # Alembic 1.20 cannot hand an identity that it has read back to a function, as PostgreSQL's; nor need it.
    return {"compare_type": True, "compare_server_default": _differs_by_default if dialect == "sqlite" else True}


def _differs_by_default(_context: MigrationContext, _there: Column[Any], ours: Column[Any], *_: Any) -> bool | None:
    """False: alike. None: compare as usual. What is an identity in our tables is AUTOINCREMENT on SQLite."""
    return False if ours.identity is not None else None

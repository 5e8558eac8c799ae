"""The entry of Alembic: `steward.adapters.database.operations.schema` runs it, and the command `alembic` does.

That command finds the database in the environment variable STEWARD_DATABASE_URL.
"""

import asyncio
import os

from alembic import context
from sqlalchemy import Connection
from steward.adapters.database.tables import metadata
from steward.adapters.migrations.comparing import comparison


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,  # SQLite cannot alter a column: Alembic copies the table
        **comparison(connection.dialect.name),
    )
    with context.begin_transaction():
        context.run_migrations()


async def _from_the_command_line() -> None:
    from steward.adapters.database.database import Database
    from steward.adapters.database.operations.schema import migrating

    async with Database(os.environ["STEWARD_DATABASE_URL"]) as database, migrating(database) as connection:
        await connection.run_sync(run)


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(_from_the_command_line())

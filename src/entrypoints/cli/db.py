"""`steward db …`: the schema of the database, its backups, and the way to another one."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import backup, copying

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ...adapters.database.database import Database

app = typer.Typer(
    help="The schema of the database, its backups, and the way to another one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("copy")(copying.copy)


@app.command()
def upgrade(revision: Annotated[str, typer.Argument(help="The newest, unless another is named.")] = "head") -> None:
    """Bring the schema up to date, or up to a revision."""
    from ...adapters.database.operations import schema

    _tell_revision(after=lambda database: schema.upgrade(database, revision))


@app.command()
def downgrade(revision: Annotated[str, typer.Argument(help="`base` takes every table away.")]) -> None:
    """Bring the schema down to a revision. What the newer revisions hold is lost."""
    from ...adapters.database.operations import schema

    _tell_revision(after=lambda database: schema.downgrade(database, revision))


@app.command()
def current() -> None:
    """Show which revision the schema is at."""
    _tell_revision()


def _tell_revision(after: "Callable[[Database], Awaitable[None]] | None" = None) -> None:
    import asyncio

    from ...adapters.database.operations import schema
    from ...bootstrap import container_for
    from ...config import load_settings

    async def work() -> str | None:
        async with container_for(load_settings()).database() as database:
            if after is not None:
                await after(database)
            return await schema.current_revision(database)

    revision, newest = asyncio.run(work()), schema.newest_revision()
    typer.echo(f"The schema is at revision {revision or 'none'}; the newest is {newest}")

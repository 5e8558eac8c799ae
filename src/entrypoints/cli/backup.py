"""`steward db backup` and `steward db restore`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .progress import progress_bars

if TYPE_CHECKING:
    from ...config import Settings

File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


def backup(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of this name.")] = False,
) -> None:
    """Write all that the SQLite database holds to a file, while the server goes on. It gets its name when it is whole
    and checked."""
    from ...adapters.database.operations.backup_and_restore import back_up
    from ...config import load_settings

    settings = load_settings()
    database = _database_file(settings)
    with progress_bars() as report:
        revision = back_up(
            database,
            file,
            overwrite=force,
            busy_timeout=settings.busy_timeout,
            timeout=settings.backup_timeout,
            progress=lambda done, total: report("pages", done, total),
        )
    typer.echo(f"{file} holds all of {database}, at revision {revision}")
    _tell_of_secret(settings, database)


def restore(
    file: File,
    force: Annotated[bool, typer.Option("--force", help="Also if the database has users, who are then lost.")] = False,
) -> None:
    """Put a backup in the place of the SQLite database, all or nothing. The server has to be stopped."""
    from ...adapters.database.operations.backup_and_restore import restore
    from ...adapters.database.operations.schema import newest_revision
    from ...config import load_settings

    settings = load_settings()
    database = _database_file(settings)
    with progress_bars() as report:
        revision = restore(
            file,
            database,
            overwrite=force,
            busy_timeout=settings.busy_timeout,
            timeout=settings.backup_timeout,
            progress=lambda done, total: report("pages", done, total),
        )
    typer.echo(f"{database} holds all of {file}, at revision {revision}")
    if revision != (newest := newest_revision()):
        typer.echo(f"The newest revision is {newest}: `steward serve` brings it there, or `steward db upgrade`")


def _database_file(settings: "Settings") -> Path:
    from sqlalchemy import make_url

    from ...adapters.database.drivers.sqlite import is_in_memory
    from ...config import ConfigurationError

    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        raise ConfigurationError(
            [
                "STEWARD_DATABASE_URL: a PostgreSQL database is backed up by its own tools, pg_dump and pg_restore, or"
                " pg_basebackup for the whole server"
            ]
        )
    if is_in_memory(url):
        raise ConfigurationError(["STEWARD_DATABASE_URL: a database in memory belongs to its process: name a file"])
    return Path(str(url.database))


def _tell_of_secret(settings: "Settings", database: Path) -> None:
    from ...adapters.secret_key import secret_key_file

    if settings.secret_key is None and (path := secret_key_file(database)).exists():
        typer.echo(f"The secret is not in it: keep a copy of {path} elsewhere", err=True)

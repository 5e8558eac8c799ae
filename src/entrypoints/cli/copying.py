"""`steward db copy`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .progress import progress_bars

if TYPE_CHECKING:
    from ...adapters.database.operations.copying import CopiedTable
    from ...config import Settings


def copy(
    source: Annotated[str, typer.Argument(metavar="SQLITE_URL", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="POSTGRES_URL", show_default=False)],
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring the target's schema up to date first.")] = False,
) -> None:
    """Copy a SQLite database to an empty PostgreSQL database, all or nothing, and compare what is stored there.

    The password may come from STEWARD_DATABASE_PASSWORD, or its _FILE, instead of the URL. Stop the server first: what
    it writes after the copy has begun is not in it.
    """
    import asyncio

    from ...adapters.secret_key import secret_key_file
    from ...config import load_settings
    from ...domain.errors import DatabaseUnavailable, StorageError
    from .failures import reason_of

    file = _file_of(source, target)
    settings = load_settings(database_url=target)
    try:
        copied = asyncio.run(_copied(file, settings, migrate=migrate))
    except DatabaseUnavailable as error:
        raise StorageError(f"{error}{reason_of(error)} (the target is {settings.shown_database_url})") from error
    _tell(copied)
    if (secret := secret_key_file(file)).exists():
        typer.echo(
            f"The secret is not in it: serve with STEWARD_SECRET_KEY_FILE={secret}, or what the server has counted,"
            " kept for repetitions, and begun to page through is void",
            err=True,
        )


async def _copied(file: Path, settings: "Settings", *, migrate: bool) -> "list[CopiedTable]":
    from ...adapters.database.operations.copying import copy_database
    from ...bootstrap import container_for
    from ...service_layer.deadline import within

    with progress_bars() as report:
        async with container_for(settings).database() as target, within(settings.backup_timeout):
            return await copy_database(
                file, target, migrate=migrate, busy_timeout=settings.busy_timeout, progress=report
            )


def _file_of(source: str, target: str) -> Path:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    from ...adapters.database.drivers.sqlite import is_in_memory, refuse_options
    from ...config import ConfigurationError

    faults = []
    for name, given, wanted in (
        ("SQLITE_URL", source, "sqlite+aiosqlite"),
        ("POSTGRES_URL", target, "postgresql+asyncpg"),
    ):
        try:
            found = make_url(given).drivername
        except (ArgumentError, ValueError):
            faults.append(f"{name}: is not a database URL")
            continue
        if found != wanted:
            faults.append(f"{name}: must begin with {wanted}:, for the one way is from SQLite to PostgreSQL")
    if faults:
        raise ConfigurationError(faults)
    url = make_url(source)
    try:
        refuse_options(url)
    except ValueError as error:
        raise ConfigurationError([f"SQLITE_URL: {error}"]) from None
    if is_in_memory(url):
        raise ConfigurationError(["SQLITE_URL: a database in memory belongs to its process: name a file"])
    return Path(str(url.database))


def _tell(copied: "list[CopiedTable]") -> None:
    width = max(len(table.name) for table in copied)
    typer.echo(f"{'table':{width}}  {'rows':>10}  checksum")
    for table in copied:
        typer.echo(f"{table.name:{width}}  {table.sum.rows:>10}  {table.sum.digest}")

"""`steward check`."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from .failures import sentences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ...adapters.database.database import Database
    from ...config import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """`detail` is what was found; where it is not `ok`, it says what to do."""

    name: str
    ok: bool
    detail: str


def check(as_json: Annotated[bool, typer.Option("--json", help="As a JSON object.")] = False) -> None:
    """Check configuration, database, schema and durability; exit code 1 if something is wrong."""
    findings = _check()
    ok = all(finding.ok for finding in findings)
    if as_json:
        import json

        typer.echo(json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}, indent=2))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            colour = typer.colors.GREEN if finding.ok else typer.colors.RED
            status = typer.style("ok    " if finding.ok else "failed", fg=colour)
            typer.echo(f"{finding.name:{width}}  {status}  {finding.detail}")
    raise typer.Exit(0 if ok else 1)


def _check() -> list[Finding]:
    import asyncio

    from ...config import ConfigurationError, load_settings

    try:
        settings = load_settings()
    except ConfigurationError as error:
        return [Finding("configuration", False, fault) for fault in error.faults]
    configured = Finding("configuration", True, f"the database is {settings.shown_database_url}")
    return [configured, _check_secret(settings), *asyncio.run(_check_database(settings))]


def _check_secret(settings: "Settings") -> Finding:
    from ...bootstrap import secret_key
    from ...config import ConfigurationError

    if settings.secret_key is None and (path := _secret_file(settings)) is not None and not path.exists():
        # A check changes nothing, so it does not make one.
        return Finding("secret_key", True, f"not given: `steward serve` makes one, {path}")
    try:
        secret_key(settings)
    except ConfigurationError as error:
        return Finding("secret_key", False, " ".join(error.faults))
    return Finding("secret_key", True, "there is one")


def _secret_file(settings: "Settings") -> "Path | None":
    from ...adapters.secret_key import secret_key_file

    database = _database_file(settings)
    return None if database is None else secret_key_file(database)


async def _check_database(settings: "Settings") -> list[Finding]:
    from ...bootstrap import container_for

    if (missing := _missing_file(settings)) is not None:
        return [missing]
    async with container_for(settings).database() as database:
        return [finding async for finding in _findings(database)]


async def _findings(database: "Database") -> "AsyncIterator[Finding]":
    """Ends at the first thing without which the rest cannot be asked."""
    from ...adapters.database.operations import durability, schema
    from ...domain.errors import SchemaOutOfDate, StewardError

    try:
        revision = await schema.current_revision(database)
    except StewardError as error:
        yield Finding("database", False, " ".join(sentences(error)))
        return
    yield Finding("database", True, f"{database.dialect} can be reached")
    try:
        await schema.require_newest(database)
    except SchemaOutOfDate as error:
        yield Finding("schema", False, str(error))
    else:
        yield Finding("schema", True, f"at the newest revision, {revision}")
    for setting in await durability.durability_settings(database):
        remedy = "" if setting.safe else f": {setting.remedy}"
        yield Finding(setting.name, setting.safe, f"{setting.value}{remedy}")


def _missing_file(settings: "Settings") -> Finding | None:
    """SQLite would make an empty file by being asked; a check changes nothing."""
    path = _database_file(settings)
    if path is None or path.exists():
        return None
    return Finding("database", False, f"there is no file {path} yet: `steward db upgrade` or `steward serve` makes it")


def _database_file(settings: "Settings") -> "Path | None":
    """None for PostgreSQL, and for a database in memory."""
    from pathlib import Path

    from sqlalchemy import make_url

    from ...adapters.database.drivers.sqlite import is_in_memory

    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or is_in_memory(url):
        return None
    return Path(str(url.database))

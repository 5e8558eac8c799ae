"""Whether an acknowledged commit survives a crash: the settings that decide it, as our own connections see them."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from ..database import Database
from ..error_translation import translating


@dataclass(frozen=True, slots=True)
class DurabilitySetting:
    """`remedy` says what to do if it is not `safe`."""

    name: str
    value: str
    safe: bool
    remedy: str


_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")  # SQLite answers with the number

# `local` and `remote_write` wait for the disk of this server, and that is what is asked here.
_COMMITS_REACH_THE_DISK = ("on", "local", "remote_write", "remote_apply")

_POSTGRES = {
    "fsync": (("on",), "a crash of the machine may destroy the whole database: ALTER SYSTEM SET fsync = on"),
    "full_page_writes": (
        ("on",),
        "a page that was half written cannot be mended: ALTER SYSTEM SET full_page_writes = on",
    ),
    "synchronous_commit": (
        _COMMITS_REACH_THE_DISK,
        "a crash loses the latest acknowledged commits: ALTER SYSTEM SET synchronous_commit = on",
    ),
}


async def durability_settings(database: Database) -> list[DurabilitySetting]:
    """Raises a `StorageError` if the database cannot be reached."""
    with translating():
        async with database.engines.pools[0].connect() as connection:
            return await (_sqlite if database.dialect == "sqlite" else _postgres)(connection)


async def _sqlite(connection: AsyncConnection) -> list[DurabilitySetting]:
    journal_mode = await _ask(connection, "PRAGMA journal_mode")
    synchronous = _SYNCHRONOUS[int(await _ask(connection, "PRAGMA synchronous"))]
    foreign_keys = "on" if await _ask(connection, "PRAGMA foreign_keys") == "1" else "off"
    return [
        DurabilitySetting(
            "journal_mode",
            journal_mode,
            journal_mode == "wal",
            "a database in memory ends with the process: name a file in STEWARD_DATABASE_URL"
            if journal_mode == "memory"
            else "put the file on a local disk: WAL needs shared memory, which network file systems lack",
        ),
        DurabilitySetting(
            "synchronous",
            synchronous,
            synchronous in ("FULL", "EXTRA"),
            "a power failure loses the latest acknowledged commits: this SQLite ignores PRAGMA synchronous = FULL",
        ),
        DurabilitySetting(
            "foreign_keys",
            foreign_keys,
            foreign_keys == "on",
            "items without an owner could be stored: this SQLite was built without foreign keys",
        ),
    ]


async def _postgres(connection: AsyncConnection) -> list[DurabilitySetting]:
    settings = []
    for name, (safe, remedy) in _POSTGRES.items():
        value = await _ask(connection, f"SHOW {name}")
        settings.append(DurabilitySetting(name, value, value in safe, remedy))
    return settings


async def _ask(connection: AsyncConnection, question: str) -> str:
    return str((await connection.exec_driver_sql(question)).scalar_one())

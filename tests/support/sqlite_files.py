"""A SQLite file as a whole."""

import sqlite3
from contextlib import closing
from pathlib import Path

from steward.adapters.database.database import Database


def content(path: Path) -> list[str]:
    """Every row of every table, as SQL; the file has to be in order."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return list(connection.iterdump())


def copy_into_memory(file: Path, database: Database) -> None:
    """`database` is in memory, and empty."""
    assert database.engines.anchor is not None
    with closing(sqlite3.connect(file)) as source:
        source.backup(database.engines.anchor)


def damage(path: Path) -> None:
    """Every page but the first, which says that it is a database."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xaa" * (path.stat().st_size - 4096))

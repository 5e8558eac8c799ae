"""The log beside a SQLite file, deleted while the file is open."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable
from steward.testing import given_user

from tests.conftest import PATIENT


async def test_nothing_is_acknowledged_into_a_log_that_was_deleted_and_what_was_is_saved(sqlite_url: str) -> None:
    file = Path(sqlite_url.partition("///")[2])
    async with Database(sqlite_url, pool=PATIENT) as database:
        await given_user(database)
        file.with_name(f"{file.name}-wal").unlink()
        with pytest.raises(DatabaseUnavailable, match="-wal"):
            await given_user(database)
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT count(*) FROM users").fetchone() == (1,)

"""Which URLs a `Database` takes, and what it says of others."""

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database

from tests.conftest import PATIENT


@pytest.mark.parametrize(
    "tail",
    [
        "file::memory:?cache=shared&uri=true",
        "file:{path}?mode=ro&uri=true",
        "file:{path}",
        "{path}?timeout=30",
        ":memory:?cache=shared",
    ],
)
def test_what_would_be_dropped_of_a_sqlite_url_is_refused(tail: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape("A SQLite URL is sqlite+aiosqlite:///<path>, or ")):
        Database("sqlite+aiosqlite:///" + tail.format(path=tmp_path / "below" / "x.db"), pool=PATIENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tail", ["", "/", "/:memory:", "/{path}"])
async def test_paths_and_memory_are_taken(tail: str, tmp_path: Path) -> None:
    async with (
        Database("sqlite+aiosqlite://" + tail.format(path=tmp_path / "x.db"), pool=PATIENT) as database,
        database.reader() as session,
    ):
        assert await session.scalar(text("SELECT 1")) == 1

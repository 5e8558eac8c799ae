"""What the Python API says of a file that is no SQLite database, or somebody else's: it is refused and not touched."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import steward
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.errors import DatabaseUnavailable

from tests.conftest import PATIENT


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


@contextmanager
def untouched(file: Path) -> Iterator[None]:
    before = file.read_bytes()
    yield
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("content", [b"", b"a letter\n" * 1000, b"SQLite format 3\0" + b"\0" * 5000])
async def test_what_is_no_database_is_refused_and_not_touched(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "steward.db"
    file.write_bytes(content)
    with untouched(file):
        for migrate in (False, True):
            with pytest.raises(DatabaseUnavailable, match=r"empty \(0 bytes\)|damaged"):
                async with steward.open(url_of(file), migrate=migrate):
                    pass
        with pytest.raises(DatabaseUnavailable, match=r"empty \(0 bytes\)|damaged"):
            async with Database(url_of(file), pool=PATIENT) as database, database.session() as session:
                await session.execute(text("SELECT 1"))


async def test_the_database_of_another_application_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE notes (text)")
    with untouched(file):
        for migrate in (False, True):
            with pytest.raises(DatabaseUnavailable, match=r"another application: it has tables \(notes\)"):
                async with steward.open(url_of(file), migrate=migrate):
                    pass


async def test_a_plain_session_may_use_a_file_with_tables_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "notes.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE notes (text)")
    async with Database(url_of(file), pool=PATIENT) as database, database.session() as session:
        await session.execute(text("INSERT INTO notes VALUES ('mine')"))
    with closing(sqlite3.connect(file)) as other:
        assert other.execute("SELECT text FROM notes").fetchall() == [("mine",)]

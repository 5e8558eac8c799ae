"""Backups of a SQLite file: what is in them, what is refused, and what a restore leaves."""

import re
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import backup_and_restore, schema
from steward.domain.errors import DeadlineExceeded, SchemaOutOfDate, StorageError
from steward.testing import given_item, given_user

from tests.conftest import PATIENT

from ...support.filling import fill_items, fill_users
from ...support.sqlite_files import content, damage

NEWEST = schema.newest_revision()


@pytest.fixture
async def database(sqlite_url: str) -> Path:
    """Of Ada, who has an item."""
    async with Database(sqlite_url, pool=PATIENT) as opened:
        await given_item(opened, owner=await given_user(opened, username="ada"))
    return Path(sqlite_url.partition("///")[2])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes: a folder of its own, which shows what is left there."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "steward.backup"


def back_up(database: Path, file: Path, *, overwrite: bool = False, timeout: float = 60.0, **given: Any) -> str:
    given.setdefault("progress", lambda done, total: None)
    return backup_and_restore.back_up(database, file, overwrite=overwrite, busy_timeout=0.1, timeout=timeout, **given)


def restore(file: Path, database: Path, *, overwrite: bool = True, timeout: float = 60.0) -> str:
    nobody_looks = lambda done, total: None
    return backup_and_restore.restore(
        file, database, overwrite=overwrite, busy_timeout=0.1, timeout=timeout, progress=nobody_looks
    )


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_backup_is_one_file_that_its_owner_alone_can_read(database: Path, file: Path) -> None:
    assert back_up(database, file) == NEWEST
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",), "it makes no files beside it"
    assert content(file) == content(database)


async def test_a_backup_under_writers_comes_to_its_end_and_is_of_one_moment(database: Path, file: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{database}", pool=PATIENT) as opened:
        await fill_items(opened, 10_000, owners=1)
    before = content(database)
    steps = []

    def write(done: int, total: int) -> None:
        steps.append(done)
        execute(database, "UPDATE items SET quantity = quantity + 1")

    back_up(database, file, progress=write)
    assert len(steps) > 2
    assert steps == sorted(steps), "it never begins anew"
    assert content(file) == before


def test_what_is_restored_is_what_was_backed_up(database: Path, file: Path) -> None:
    before = content(database)
    back_up(database, file)
    execute(database, "UPDATE items SET name = 'Lid'", "UPDATE sqlite_sequence SET seq = 1000")
    assert restore(file, database) == NEWEST
    assert content(database) == before


def test_a_database_that_is_gone_comes_back(database: Path, file: Path) -> None:
    before = content(database)
    back_up(database, file)
    database.unlink()
    restore(file, database, overwrite=False)
    assert content(database) == before


def test_users_are_not_overwritten_unless_it_is_said(database: Path, file: Path) -> None:
    back_up(database, file)
    before = content(database)
    with pytest.raises(StorageError, match=r"has users: replace all that it holds with --force"):
        restore(file, database, overwrite=False)
    assert content(database) == before


def test_nor_is_what_somebody_else_keeps_in_a_file(database: Path, file: Path, tmp_path: Path) -> None:
    back_up(database, file)
    notes = tmp_path / "notes.db"
    execute(notes, "CREATE TABLE notes (text)")
    with pytest.raises(StorageError, match="is not Steward's, it holds notes"):
        restore(file, notes, overwrite=False)
    assert len(content(notes)) == 3


def test_nothing_is_restored_while_somebody_has_the_database_open(database: Path, file: Path) -> None:
    back_up(database, file)
    execute(database, "UPDATE items SET name = 'Lid'")
    before = content(database)
    with closing(sqlite3.connect(database)) as idle:
        idle.execute("PRAGMA journal_mode = WAL")
        idle.execute("SELECT * FROM users").fetchall()
        with pytest.raises(StorageError, match="is in use: stop the server"):
            restore(file, database)
    assert content(database) == before


@pytest.mark.parametrize("left", ["-wal", "-journal"])
def test_what_an_earlier_database_of_the_name_has_left_is_not_replayed(
    database: Path, file: Path, tmp_path: Path, left: str
) -> None:
    back_up(database, file)
    before = content(database)
    with closing(sqlite3.connect(database, isolation_level=None)) as opened:
        opened.execute(f"PRAGMA journal_mode = {'WAL' if left == '-wal' else 'PERSIST'}")
        opened.execute("UPDATE items SET name = 'Lid'")
        kept = (beside := database.with_name(database.name + left)).read_bytes()
    assert kept
    database.unlink()
    beside.write_bytes(kept)
    restore(file, database)
    assert content(database) == before


def test_a_damaged_database_is_replaced_if_it_is_said(database: Path, file: Path) -> None:
    before = content(database)
    back_up(database, file)
    damage(database)
    with pytest.raises(StorageError, match="damaged"):
        restore(file, database, overwrite=False)
    restore(file, database)
    assert content(database) == before


def test_a_damaged_database_has_no_backup(database: Path, file: Path) -> None:
    damage(database)
    with pytest.raises(StorageError, match="damaged"):
        back_up(database, file)
    assert list(file.parent.iterdir()) == []


def no_database(path: Path) -> None:
    path.write_text("not a database, but quite a long text nevertheless\n" * 100)


def somebody_elses(path: Path) -> None:
    path.unlink()
    execute(path, "CREATE TABLE notes (text)")


def of_the_future(path: Path) -> None:
    execute(path, "UPDATE alembic_version SET version_num = '9999'")


def with_an_item_of_nobody(path: Path) -> None:
    execute(path, "UPDATE items SET owner_id = 77")


def with_pages_that_nothing_leads_to(path: Path) -> None:
    execute(path, "PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE name = 'ix_items_owner_id_id'")


@pytest.mark.parametrize(
    ("spoil", "error", "told"),
    [
        (no_database, StorageError, "is not a SQLite database"),
        (Path.unlink, StorageError, "There is no file"),
        (somebody_elses, StorageError, "does not hold a database of Steward's"),
        (of_the_future, SchemaOutOfDate, "at revision 9999, which this version of Steward does not know"),
        (damage, StorageError, "damaged"),
        (with_pages_that_nothing_leads_to, StorageError, "is damaged: .*never used"),
        (with_an_item_of_nobody, StorageError, "a row of items refers to one of users that is not there"),
    ],
)
def test_what_is_no_backup_is_refused_and_nothing_touched(
    database: Path, file: Path, spoil: Callable[[Path], object], error: type[Exception], told: str
) -> None:
    back_up(database, file)
    spoil(file)
    before = database.read_bytes()
    with pytest.raises(error, match=re.compile(told, re.DOTALL)):
        restore(file, database)
    assert database.read_bytes() == before


def test_a_file_that_is_there_stays_unless_it_is_said(database: Path, file: Path) -> None:
    file.write_text("what was there before")
    with pytest.raises(StorageError, match="--force"):
        back_up(database, file)
    assert file.read_text() == "what was there before"
    back_up(database, file, overwrite=True)
    assert content(file) == content(database)


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_a_backup_takes_no_name_whose_log_would_be_replayed_onto_it(database: Path, file: Path, suffix: str) -> None:
    file.with_name(file.name + suffix).touch()
    with pytest.raises(StorageError, match="name another file"):
        back_up(database, file, overwrite=True)
    assert not file.exists()


def test_the_database_is_neither_its_own_backup_nor_restored_from_itself(database: Path, tmp_path: Path) -> None:
    before = content(database)
    (link := tmp_path / "link.db").symlink_to(database)
    for name in (database, link):
        with pytest.raises(StorageError, match="is the database itself"):
            back_up(database, name, overwrite=True)
        with pytest.raises(StorageError, match="is the database itself"):
            restore(name, database)
    assert content(database) == before


def test_a_folder_that_is_not_there_is_told(database: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        back_up(database, tmp_path / "nowhere" / "steward.backup")


async def test_what_takes_too_long_changes_nothing(database: Path, file: Path) -> None:
    async with Database(f"sqlite+aiosqlite:///{database}", pool=PATIENT) as opened:
        await fill_users(opened, 9)
        await fill_items(opened, 10_000, owners=9)
    steps: list[int] = []
    with pytest.raises(DeadlineExceeded, match="STEWARD_BACKUP_TIMEOUT"):
        back_up(database, file, timeout=0.0, progress=lambda done, total: steps.append(done))
    assert len(steps) == 1
    assert list(file.parent.iterdir()) == []
    back_up(database, file)
    execute(database, "UPDATE items SET name = 'Lid'")
    before = content(database)
    with pytest.raises(DeadlineExceeded, match="STEWARD_BACKUP_TIMEOUT"):
        restore(file, database, timeout=0.0)
    assert content(database) == before

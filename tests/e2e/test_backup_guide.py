"""The guide to backups: its commands are run, and print what it says."""

import os
import re
import sys
from pathlib import Path

import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.adapters.database.tables import metadata
from steward.testing import given_user

from ..conftest import Postgres
from ..support.transcripts import check_transcript

GUIDE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text(encoding="utf-8")


async def test_the_commands_print_what_is_shown(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = await postgres.create(empty=True)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("STEWARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    async with Database("sqlite+aiosqlite:///var/steward.db") as database:
        await schema.upgrade(database)
        await given_user(database, username="ada")
    page = GUIDE.replace("0004", schema.newest_revision())
    page = page.replace("postgresql+asyncpg://steward@127.0.0.1/steward", target)
    assert check_transcript(page, "") == 5
    async with Database(target) as database, database.reader() as session:
        assert (await session.execute(metadata.tables["users"].select())).one().username == "ada"
    await postgres.drop(target)


def test_the_table_that_it_shows_has_every_table() -> None:
    assert re.findall(r"^    (\w+) +\d+  [0-9a-f]{32}$", GUIDE, flags=re.MULTILINE) == [
        table.name for table in metadata.sorted_tables
    ]

"""`steward export` and `steward import`, on the databases that people have."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.items import Item
from steward.service_layer import lists, users
from steward.testing import given_item, given_user

from ..support.steward_command import steward
from ..support.steward_server import PATIENT, environment

ODD: list[dict[str, Any]] = [
    {"name": "=Box", "description": None, "quantity": 0, "attributes": {"z": 1, "a": [2.50, None]}},
    {"name": "Größe 🐘", "description": "", "quantity": 2**31 - 1, "attributes": {}},
    {"name": "'", "description": '6" long,\r\nlone \r and \n', "quantity": 1, "attributes": {"'": "=1+1"}},
]


@pytest.fixture
async def url(sqlite_url: str) -> str:
    return await filled(sqlite_url)


async def filled(url: str) -> str:
    """Ada has odd items, Bob has none."""
    async with Database(url) as database:
        ada = await given_user(database, username="ada")
        await given_user(database, username="bob")
        for each in ODD:
            await given_item(database, owner=ada, **each)
    return url


async def items_of(url: str, name: str) -> list[Item]:
    async with Database(url) as database:
        uow = database.unit_of_work()
        owner = await users.find_user(uow, Actor.system(), name=name)
        page = await lists.list_items(uow, Actor.system(), owner_id=owner.id, sort="id", limit=10_000)
        return page.rows


async def as_odd(url: str, name: str) -> list[dict[str, object]]:
    return [{field: getattr(item, field) for field in ODD[0]} for item in await items_of(url, name)]


OPTIONS: dict[str, tuple[str, tuple[str, ...]]] = {"sqlite": ("ndjson", ()), "postgres": ("csv", ("--snapshot",))}


async def test_what_is_exported_is_imported(server_backend: str, server_url: str, tmp_path: Path) -> None:
    url = await filled(server_url)
    suffix, options = OPTIONS[server_backend]
    file = tmp_path / f"items.{suffix}"
    done = steward("export", "--owner", "ada", *options, str(file), database_url=url)
    assert (done.returncode, done.stdout) == (0, "")
    assert "3/3" in done.stderr
    assert "3 items exported" in done.stderr
    done = steward("import", "--owner", "BOB@example.org", str(file), database_url=url)
    assert (done.returncode, done.stdout) == (0, "")
    assert "import" in done.stderr
    assert "3 items imported" in done.stderr
    assert await as_odd(url, "bob") == ODD
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".part"] == []


@pytest.mark.parametrize("format", ["", "--format csv"])
async def test_one_command_may_feed_the_other(url: str, format: str) -> None:
    done = in_a_shell(f"$steward export --owner ada {format} | $steward import --owner bob {format} -", url)
    assert done.returncode == 0, done.stderr
    assert await as_odd(url, "bob") == ODD


def in_a_shell(command: str, url: str) -> subprocess.CompletedProcess[str]:
    settings = {**environment(**{**PATIENT, "database_url": url}), "steward": f"{sys.executable} -m steward"}
    return subprocess.run(command, shell=True, capture_output=True, text=True, env=settings, check=False)


async def test_faults_are_told_by_line_and_nothing_is_imported(url: str, tmp_path: Path) -> None:
    file = tmp_path / "items.csv"
    file.write_text('name,quantity,attributes\nBox,1,{}\nLid,-1,"{""a"":1,""a"":2}"\n,1,{}\n')
    done = steward("import", "--owner", "bob", str(file), database_url=url)
    assert done.returncode == 1
    told = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert told == [
        "Error: line 3: attributes: An object names a member twice",
        "Error: line 3: quantity: The quantity is at least 0",
        "Error: line 4: name: This must be text",
        "Error: 3 faults: nothing is imported",
    ]
    assert await items_of(url, "bob") == []


async def test_a_file_gets_its_name_when_it_is_whole(url: str, tmp_path: Path) -> None:
    file = tmp_path / "items.ndjson"
    file.write_text("what was there before\n")
    async with Database(url) as database, database.session() as session:
        await session.execute(text("ALTER TABLE items RENAME TO kept_items"))
    done = steward("export", "--owner", "ada", str(file), database_url=url)
    assert done.returncode == 1
    assert "out of date" in done.stderr
    assert file.read_text() == "what was there before\n"
    assert list(tmp_path.glob(".*")) == []


def test_what_is_no_plain_file_is_written_to_and_stays_what_it_is(url: str, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.csv", tmp_path / "link.ndjson"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert steward("export", "--owner", "ada", str(pipe), database_url=url).returncode == 0
    assert os.read(reader, 4096).startswith(b"id,owner_id,")
    os.close(reader)
    assert pipe.is_fifo()
    (tmp_path / "target.ndjson").touch()
    link.symlink_to("target.ndjson")
    assert steward("export", "--owner", "ada", str(link), database_url=url).returncode == 0
    assert link.is_symlink()
    assert json.loads(link.read_text().splitlines()[0])["name"] == "=Box"


def test_who_reads_no_more_is_no_reason_for_a_traceback(url: str) -> None:
    done = in_a_shell("$steward export --owner ada | true", url)
    assert not [word for word in ("Traceback", "Exception", "Error", "exported") if word in done.stderr]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("import", "--owner", "ada", "nowhere.csv"), "nowhere.csv: No such file or directory"),
        (("export", "--owner", "ada", "nowhere/items.csv"), "No such file or directory"),
        (("export", "--owner", "nobody"), "User nobody not found"),
        (("export", "--owner", "ada", "items.xls"), "--format"),
        (("import", "--owner", "ada", "--format", "xml", "-"), "the formats are ndjson and csv"),
    ],
)
async def test_what_cannot_be_is_told_in_a_sentence(sqlite_url: str, arguments: tuple[str, ...], told: str) -> None:
    async with Database(sqlite_url) as database:
        await given_user(database, username="ada")
    done = steward(*arguments, database_url=sqlite_url)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr

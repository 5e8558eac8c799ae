"""`steward db backup` and `steward db restore`, run as people run them, and killed."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema

from ..support.ended import hears_ctrl_c
from ..support.filling import fill_items, fill_users
from ..support.sqlite_files import content
from ..support.steward_command import steward
from ..support.steward_server import PATIENT, StewardServer, environment

NEWEST = schema.newest_revision()
LONGEST = 120.0  # seconds


@pytest.fixture
def database(sqlite_url: str) -> Path:
    return Path(sqlite_url.partition("///")[2])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes: a folder of its own, which shows what is left there."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "steward.backup"


async def fill(url: str) -> None:
    """With some 60 MB, for which every command takes a moment."""
    async with Database(url) as database:
        await fill_users(database, 10)
        await fill_items(database, 6_000, owners=10)
        async with database.session() as session:
            await session.execute(text("UPDATE items SET description = hex(zeroblob(5000))"))


@contextmanager
def started(url: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The command, under way; at the end of the block it has ended."""
    process = subprocess.Popen(
        [sys.executable, "-m", "steward", "db", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(**{**PATIENT, "database_url": url}),
        preexec_fn=hears_ctrl_c,  # noqa: PLW1509 - it calls nothing that takes a lock
    )
    with process:
        yield process
        process.communicate()  # closed before it has ended, the pipe would break under it


def wait_until(there: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """The moment may be missed: then the command has ended."""
    until = time.monotonic() + LONGEST
    while not there() and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.001)


@contextmanager
def writing(server: StewardServer) -> Iterator[list[int]]:
    """The ids that the server has acknowledged, one after the other, until the end of the block."""
    written: list[int] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            written.append(server.client.post("/items", json={"name": "Box"}).raise_for_status().json()["id"])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield written
    finally:
        ended.set()
        thread.join()


def test_a_backup_under_a_server_that_writes_holds_what_was_acknowledged_before(sqlite_url: str, file: Path) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        before = [server.client.post("/items", json={"name": "Box"}).json()["id"] for _ in range(20)]
        with writing(server) as meanwhile:
            done = steward("db", "backup", str(file), database_url=sqlite_url)
        assert (done.returncode, done.stdout.partition(" holds")[0]) == (0, str(file)), done.stderr
        assert "pages" in done.stderr
    with closing(sqlite3.connect(file)) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM items ORDER BY id")]
    assert ids[: len(before)] == before
    assert ids == [*before, *meanwhile][: len(ids)], "and of what came after, the first ones"


def test_a_server_goes_on_from_a_backup(sqlite_url: str, database: Path, file: Path) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert steward("db", "backup", str(file), database_url=sqlite_url).returncode == 0
        server.client.post("/items", json={"name": "Box"})
    done = steward("db", "restore", str(file), "--force", database_url=sqlite_url)
    assert done.stdout == f"{database} holds all of {file}, at revision {NEWEST}\n"
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert server.client.get("/items").json()["data"] == []


def test_an_older_backup_is_told_of_and_brought_up_to_date_by_the_server(sqlite_url: str, file: Path) -> None:
    assert steward("db", "downgrade", "0003", database_url=sqlite_url).returncode == 0
    assert steward("db", "backup", str(file), database_url=sqlite_url).returncode == 0
    done = steward("db", "restore", str(file), database_url=sqlite_url)
    assert f"at revision 0003\nThe newest revision is {NEWEST}: " in done.stdout
    with StewardServer(sqlite_url) as server:
        assert server.client.get("/readyz").status_code == 200


def test_nothing_is_restored_under_a_server_that_idles(sqlite_url: str, file: Path) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert steward("db", "backup", str(file), database_url=sqlite_url).returncode == 0
        done = steward("db", "restore", str(file), "--force", database_url=sqlite_url, busy_timeout=0.1)
        assert done.returncode == 1
        assert "is in use: stop the server" in done.stderr
        assert server.client.post("/items", json={"name": "Box"}).status_code == 201


def test_what_a_killed_server_left_in_its_log_is_not_replayed(sqlite_url: str, database: Path, file: Path) -> None:
    assert steward("db", "backup", str(file), database_url=sqlite_url).returncode == 0
    before = content(database)
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        server.client.post("/items", json={"name": "Box"})
        server.kill()
    assert database.with_name(f"{database.name}-wal").stat().st_size > 0
    assert steward("db", "restore", str(file), "--force", database_url=sqlite_url).returncode == 0
    assert content(database) == before


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
async def test_a_backup_that_was_ended_has_no_name(
    sqlite_url: str, database: Path, file: Path, how: signal.Signals
) -> None:
    await fill(sqlite_url)
    with started(sqlite_url, "backup", str(file)) as process:
        wait_until(lambda: any(file.parent.iterdir()), process)
        process.send_signal(how)
    if process.returncode == 0:  # it was done before the signal came
        assert content(file) == content(database)
        return
    assert process.returncode == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert [each.name for each in file.parent.iterdir() if how is signal.SIGINT or each.name == file.name] == []


@pytest.mark.parametrize(
    ("pages", "how"), [(0, signal.SIGKILL), (2_000, signal.SIGINT), (2_000, signal.SIGKILL), (10_000, signal.SIGKILL)]
)
async def test_a_restore_that_was_ended_leaves_the_old_or_the_new(
    sqlite_url: str, database: Path, file: Path, pages: int, how: signal.Signals
) -> None:
    """Ended when so many pages are in the log that becomes the database."""
    await fill(sqlite_url)
    new = content(database)
    assert steward("db", "backup", str(file), database_url=sqlite_url).returncode == 0
    async with Database(sqlite_url) as opened, opened.session() as session:
        await session.execute(text("UPDATE items SET name = 'Lid', description = 'a lid' WHERE id % 2 = 0"))
    old = content(database)
    log = database.with_name(f"{database.name}-wal")
    with started(sqlite_url, "restore", str(file), "--force") as process:
        wait_until(lambda: log.exists() and log.stat().st_size > pages * 4096, process)
        process.send_signal(how)
    assert process.returncode in (0, 130 if how is signal.SIGINT else -signal.SIGKILL)
    assert content(database) == (new if process.returncode == 0 else old)
    with StewardServer(sqlite_url) as server:
        assert server.client.get("/readyz").status_code == 200


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_other_databases_have_tools_of_their_own(command: str, file: Path) -> None:
    done = steward("db", command, str(file), database_url="postgresql+asyncpg://steward:s3cr3t@127.0.0.1:1/steward")
    assert done.returncode == 1
    assert "pg_dump" in done.stderr
    assert "s3cr3t" not in done.stderr
    done = steward("db", command, str(file), database_url="sqlite+aiosqlite:///:memory:")
    assert "a database in memory belongs to its process" in done.stderr


def test_what_is_refused_is_told_in_a_sentence(sqlite_url: str, file: Path) -> None:
    done = steward("db", "restore", str(file), database_url=sqlite_url)
    assert (done.returncode, done.stderr) == (1, f"Error: There is no file {file}\n")

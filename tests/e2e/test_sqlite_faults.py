"""A SQLite file whose disk is full, that another process holds, that is damaged, gone or somebody else's: under a real
server, which says so, keeps what it has acknowledged, and goes on when the fault is over."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema

from ..support.http import problem_of
from ..support.small_disk import read_only, small_disk
from ..support.steward_server import ServerDidNotStart, StewardServer


@pytest.fixture
def file(sqlite_url: str) -> Path:
    return Path(sqlite_url.partition("///")[2])


def url_of(file: Path) -> str:
    return f"sqlite+aiosqlite:///{file}"


def add(server: StewardServer, name: str, *, size: int = 0) -> httpx2.Response:
    return server.client.post("/items", json={"name": name, "description": "x" * size})


def names(server: StewardServer) -> list[str]:
    page = server.client.get("/items", params={"sort": "id", "limit": 200}).raise_for_status()
    return [item["name"] for item in page.json()["data"]]


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@contextmanager
def held(file: Path, *, mode: str = "NORMAL") -> Iterator[None]:
    """The write lock, by another process than the server: this one."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute(f"PRAGMA locking_mode = {mode}")
        other.execute("BEGIN EXCLUSIVE")
        yield


def refusal(url: str, **settings: object) -> str:
    """What a server says that does not start."""
    with pytest.raises(ServerDidNotStart) as caught:
        StewardServer(url, **settings).start()
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


# A full disk


async def test_a_full_disk_stores_nothing_is_read_and_is_written_again_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=4) as disk:
        with StewardServer(url_of(disk.path / "steward.db")) as server:
            server.sign_in()
            assert add(server, "Before").status_code == 201
            disk.fill()
            for _ in range(3):
                refused = add(server, "Refused", size=10_000)
                assert problem_of(refused) == (507, "storage_full")
            assert names(server) == ["Before"]
            assert server.client.get("/readyz").status_code == 200
            disk.make_room()
            assert add(server, "After", size=10_000).status_code == 201
            assert names(server) == ["Before", "After"]
        with closing(sqlite3.connect(disk.path / "steward.db")) as left:
            assert left.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert left.execute("SELECT count(*) FROM items").fetchone() == (2,)


async def test_what_was_acknowledged_before_the_log_could_not_grow_is_there_after_a_kill(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=2) as disk:
        server = StewardServer(url_of(disk.path / "steward.db")).start()
        server.sign_in()
        acknowledged: list[int] = []
        while (answer := add(server, f"Box {len(acknowledged)}", size=10_000)).status_code == 201:
            acknowledged.append(answer.json()["id"])
        assert problem_of(answer) == (507, "storage_full")
        server.client.close()
        server.kill()
        with closing(sqlite3.connect(disk.path / "steward.db")) as left:
            assert [id for (id,) in left.execute("SELECT id FROM items ORDER BY id")] == acknowledged


def test_a_server_does_not_start_on_a_full_disk_and_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", megabytes=1) as disk:
        disk.fill()
        assert "The disk is full" in refusal(url_of(disk.path / "steward.db"))
        assert [path.name for path in disk.path.iterdir()] == ["filler"]


# Another process


def test_a_writer_in_another_process_is_waited_for(file: Path, sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        holds, let_go = threading.Event(), threading.Event()

        def hold() -> None:
            with held(file):
                holds.set()
                time.sleep(1)
                let_go.set()

        other = threading.Thread(target=hold)
        other.start()
        holds.wait()
        answer = add(server, "Box")
        assert (answer.status_code, let_go.is_set()) == (201, True)
        other.join()


def test_a_lock_that_lasts_is_a_503_for_writers_and_nothing_for_readers(file: Path, sqlite_url: str) -> None:
    with StewardServer(sqlite_url, busy_timeout=0.2) as server:
        server.sign_in()
        add(server, "Before")
        with held(file):
            refused = add(server, "Refused")
            assert problem_of(refused) == (503, "database_unavailable")
            assert "locked by another process" in refused.json()["detail"]
            assert refused.headers["Retry-After"] == "1"
            assert names(server) == ["Before"]
            assert server.client.get("/readyz").status_code == 200
        assert add(server, "After").status_code == 201
        assert names(server) == ["Before", "After"]


@pytest.mark.parametrize("mode", ["NORMAL", "EXCLUSIVE"])
def test_a_server_does_not_start_on_a_file_that_stays_locked_and_says_so(
    file: Path, sqlite_url: str, mode: str
) -> None:
    with StewardServer(sqlite_url):
        pass  # there is an admin
    with held(file, mode=mode):
        assert "The database file is locked by another process" in refusal(sqlite_url, busy_timeout=0.2)
    with StewardServer(sqlite_url) as server:
        server.sign_in()


# Read only


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_server_does_not_start_where_nothing_can_be_written_and_says_so(
    file: Path, sqlite_url: str, what: str
) -> None:
    with StewardServer(sqlite_url):
        pass  # there is an admin
    before = file.read_bytes()
    with read_only(file if what == "file" else file.parent):
        said = refusal(sqlite_url)
    assert "The database file can be read, but not written" in said or "The database file cannot be opened" in said
    assert file.read_bytes() == before


# No database, or a damaged one


def with_half_its_pages(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.truncate(file.stat().st_size // 2)


def with_another_schema_page(file: Path) -> None:
    with file.open("r+b") as raw:
        raw.seek(100)
        raw.write(b"\xff" * 3996)


def of_another_application(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE notes (text)")
        other.execute("INSERT INTO notes VALUES ('mine')")
        other.commit()


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (with_half_its_pages, "damaged"),
        (with_another_schema_page, "damaged"),
        (of_another_application, "that of another application: it has tables (notes)"),
    ],
)
def test_a_file_that_is_not_our_database_is_refused_by_its_cause_and_not_touched(
    file: Path, sqlite_url: str, change: Callable[[Path], None], cause: str
) -> None:
    """Of each kind one; all of them: tests/integration/drivers/test_not_our_sqlite_file.py."""
    change(file)
    before = files_in(file.parent)
    said = refusal(sqlite_url)
    assert cause in said
    assert str(file) in said
    assert files_in(file.parent) == before


def test_a_page_that_is_damaged_under_the_server_is_a_503_that_sends_for_the_operator(
    file: Path, sqlite_url: str
) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert add(server, "Box").status_code == 201
    with closing(sqlite3.connect(file)) as closed:
        [(root,)] = closed.execute("SELECT rootpage FROM sqlite_master WHERE name = 'items'")
        [(size,)] = closed.execute("PRAGMA page_size")
    with file.open("r+b") as raw:
        raw.seek((root - 1) * size)
        raw.write(b"\xff" * size)
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        for answer in (server.client.get("/items/1"), server.client.get("/items"), add(server, "Lid")):
            assert problem_of(answer) == (503, "database_unavailable")
            assert "damaged" in answer.json()["detail"]
        assert server.client.get("/users/me").status_code == 200
        assert not [line for line in server.errors if "Traceback" in line]


# A file that is not where it was


def test_a_file_that_was_moved_away_takes_no_write_and_is_used_again_when_it_is_back(
    file: Path, sqlite_url: str
) -> None:
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        assert add(server, "Before").status_code == 201
        file.rename(file.with_suffix(".away"))
        for answer in (add(server, "Refused"), server.client.get("/items"), server.client.get("/readyz")):
            assert problem_of(answer) == (503, "database_unavailable")
            assert "moved, deleted or replaced" in answer.json()["detail"]
        assert not file.exists()
        file.with_suffix(".away").rename(file)
        assert add(server, "After").status_code == 201
        assert names(server) == ["Before", "After"]


async def test_a_file_in_the_place_of_ours_takes_no_write(file: Path, sqlite_url: str) -> None:
    other = file.with_suffix(".other")
    async with Database(url_of(other)) as database:
        await schema.upgrade(database)
    with StewardServer(sqlite_url) as server:
        server.sign_in()
        before = other.read_bytes()
        other.replace(file)
        for answer in (add(server, "Refused"), server.client.get("/items"), server.client.get("/readyz")):
            assert problem_of(answer) == (503, "database_unavailable")
    assert file.read_bytes() == before

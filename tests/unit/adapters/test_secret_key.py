"""The secret that is made where none was given: one for all processes, whole, and nobody else's to read."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from steward.adapters.secret_key import UnusableSecret, secret_key_beside

# As on a file system that has no hard links, and where another process has time to come between a look and a rename.
NO_HARD_LINKS = """
import errno, os, time
from pathlib import Path
rename = Path.rename
def rename_slowly(*paths):
    time.sleep(0.002)
    return rename(*paths)
Path.rename = rename_slowly
def link(*_):
    raise OSError(errno.EPERM, "Operation not permitted")
os.link = link
"""

# Whoever is ahead makes the next secret and is slowed by it, so that all of them meet there, again and again.
RACER = """
import sys
from pathlib import Path
from steward.adapters.secret_key import secret_key_beside
for round in range(100):
    print(secret_key_beside(Path(sys.argv[1], str(round), "steward.db")).decode())
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "steward.db"


def given_secret(database: Path, content: bytes, mode: int = 0o600) -> Path:
    file = database.with_name("steward.db.secret-key")
    file.write_bytes(content)
    file.chmod(mode)
    return file


def complaint(database: Path) -> str:
    with pytest.raises(UnusableSecret) as caught:
        secret_key_beside(database)
    return str(caught.value)


def test_the_secret_is_made_once_and_stays(database: Path) -> None:
    secret = secret_key_beside(database)
    assert len(secret) >= 43  # 256 bits in base64
    assert secret_key_beside(database) == secret
    assert secret_key_beside(database.with_name("other.db")) != secret


def test_the_secret_stands_beside_the_database_for_its_owner_alone(database: Path) -> None:
    secret = secret_key_beside(database)
    (file,) = database.parent.iterdir()
    assert file.name == "steward.db.secret-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes().strip() == secret


def test_the_folder_is_made_if_it_is_missing(tmp_path: Path) -> None:
    database = tmp_path / "var" / "lib" / "steward.db"
    assert secret_key_beside(database) == secret_key_beside(database)


@pytest.mark.parametrize("content", [b"x" * 32, b"x" * 32 + b"\n", b"x" * 32 + b"\r\n"])
def test_a_secret_that_somebody_wrote_is_taken_without_its_line_break(database: Path, content: bytes) -> None:
    given_secret(database, content)
    assert secret_key_beside(database) == b"x" * 32


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_secret_that_others_can_read_or_write_is_refused(database: Path, mode: int) -> None:
    file = given_secret(database, b"x" * 43, mode)
    assert f"{file} can be used by others: run chmod 600" in complaint(database)


@pytest.mark.parametrize("content", [b"", b"\n", b"x" * 31 + b"\n", "é".encode() * 31, b"\0" * 43])
def test_a_file_without_a_whole_secret_is_refused_and_left_alone(database: Path, content: bytes) -> None:
    file = given_secret(database, content)
    assert "does not hold a secret of 32 characters: delete it" in complaint(database)
    assert file.read_bytes() == content


def test_what_is_not_text_is_refused_and_not_told(database: Path) -> None:
    given_secret(database, b"geheim-geheim-geheim-geheim-geheim\xff")
    assert "is not UTF-8 text: delete it" in complaint(database)
    assert "geheim" not in complaint(database)


def test_what_is_no_file_is_refused(database: Path) -> None:
    database.with_name("steward.db.secret-key").mkdir()
    assert "cannot be read (Is a directory)" in complaint(database)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    complained = complaint(tmp_path / "var" / "steward.db")
    assert "cannot be made (" in complained
    assert "set STEWARD_SECRET_KEY" in complained


@pytest.mark.parametrize("preparation", ["", NO_HARD_LINKS], ids=["hard links", "no hard links"])
def test_processes_that_start_at_once_get_the_same_secret(tmp_path: Path, preparation: str) -> None:
    command = [sys.executable, "-c", preparation + RACER, str(tmp_path)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [racer.communicate(timeout=60) for racer in racers]
    assert [errors for _, errors in told] == [""] * 4
    first, *others = [secrets.splitlines() for secrets, _ in told]
    assert len(set(first)) == 100
    assert others == [first] * 3
    assert {file.name for file in tmp_path.glob("*/*")} == {"steward.db.secret-key"}

"""`steward serve`: how it starts, and when it refuses to."""

import re
import socket
from pathlib import Path

import httpx2
import pytest
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.service_layer import lists, users

from ..conftest import Postgres
from ..support.steward_command import steward
from ..support.steward_server import SECRET, StewardServer

PASSWORD = "correct horse battery"


def _new_file(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'new' / 'steward.db'}"


def _unexpected(errors: list[str]) -> list[str]:
    """The tests' PostgreSQL runs without fsync, which is told once."""
    return [line for line in errors if "What is acknowledged may be lost" not in line]


def test_it_tells_where_it_and_its_documentation_are(sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        assert server.output[0].endswith(f" is at {server.url}")
        assert server.output[1].endswith(f" is at {server.url}/docs")
        assert server.client.get("/livez").status_code == 200
        assert server.client.get("/docs").status_code == 200
    assert _unexpected(server.errors) == []


def test_a_new_sqlite_file_gets_schema_and_an_admin_whose_password_is_shown_once(tmp_path: Path) -> None:
    with StewardServer(_new_file(tmp_path), admin_password=None) as server:
        [told] = [line for line in server.output if "first admin" in line]
        shown = re.search(r"'admin' .* with the password (\S{20,}) ", told)
        assert shown is not None
        server.sign_in("admin", shown[1])
        [admin] = server.client.get("/users").json()["data"]
        assert (admin["username"], admin["role"]) == ("admin", "admin")
    with StewardServer(_new_file(tmp_path), admin_password=None) as again:
        assert not [line for line in again.output if "password" in line]
        again.sign_in("admin", shown[1])
        assert len(again.client.get("/users").json()["data"]) == 1
    assert server.errors == again.errors == [], "a password must not be in a log"


async def test_the_first_admin_is_made_by_the_settings_and_a_given_password_is_not_shown(
    postgres_url: str, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    settings = {
        "admin_username": "Ζωή",
        "admin_email": "zoe@example.org",
        "admin_password": None,
        "admin_password_file": secret,
    }
    with StewardServer(postgres_url, **settings) as server:
        assert not [line for line in server.output + server.errors if PASSWORD in line or "with the password" in line]
    async with Database(postgres_url) as database:
        [admin] = await lists.list_users(database.unit_of_work(), Actor.system())
    assert (admin.username, admin.email) == ("Ζωή", "zoe@example.org")
    assert admin.password_hash is not None


async def test_there_is_no_first_admin_where_there_are_users(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await users.register_user(database.unit_of_work(), Actor.system(), username="ada", email="ada@example.org")
    with StewardServer(sqlite_url) as server:
        assert not [line for line in server.output if "first admin" in line]
    async with Database(sqlite_url) as database:
        [ada] = await lists.list_users(database.unit_of_work(), Actor.system())
    assert ada.username == "ada"


async def test_another_database_is_migrated_only_when_asked_to(postgres: Postgres) -> None:
    empty = await postgres.create(empty=True)
    refused = steward("serve", "--port", "0", database_url=empty, secret_key=SECRET, allow_unsafe_durability=True)
    assert refused.returncode == 1
    assert "steward db upgrade" in refused.stderr
    assert refused.stderr.count("Error: ") == 1
    with StewardServer(empty, "--migrate") as server:
        assert server.client.get("/readyz").status_code == 200
    await postgres.drop(empty)


def test_a_database_in_memory_is_served_by_one_process() -> None:
    with StewardServer("sqlite+aiosqlite:///:memory:") as server:
        assert server.client.get("/readyz").status_code == 200
    refused = steward("serve", "--port", "0", "--workers", "2", database_url="sqlite+aiosqlite:///:memory:")
    assert refused.returncode == 1
    assert "STEWARD_WORKERS" in refused.stderr


def test_a_port_in_use_is_told_in_a_sentence_and_nothing_is_migrated(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = steward("serve", "--port", str(port), database_url=_new_file(tmp_path))
    assert done.returncode == 1
    assert done.stderr == f"Error: Cannot listen on 127.0.0.1 port {port}: Address already in use\n"
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_listens_beyond_loopback_when_told_to(host: str, tmp_path: Path) -> None:
    with StewardServer(_new_file(tmp_path), "--host", host) as server:
        port = server.url.rpartition(":")[2]
        assert httpx2.get(f"http://127.0.0.1:{port}/livez").status_code == 200


def test_an_unknown_host_is_told_in_a_sentence(tmp_path: Path) -> None:
    done = steward("serve", "--host", "no.such.host.invalid", database_url=_new_file(tmp_path))
    assert (done.returncode, done.stderr) == (1, "Error: STEWARD_HOST: no.such.host.invalid is not a known address\n")


def test_every_fault_of_the_configuration_is_told_at_once_before_anything_is_touched(tmp_path: Path) -> None:
    done = steward(
        *("serve", "--port", "70000"),
        database_url=_new_file(tmp_path),
        pool_size=0,
        admin_username="a b",
        admin_password="short",
    )
    assert done.returncode == 1
    assert done.stderr.count("Error: STEWARD_") == 4
    assert "short\n" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_several_workers_serve_one_database_and_make_one_admin(server_url: str) -> None:
    with StewardServer(server_url, "--workers", "2") as server:
        server.sign_in()
        assert len(server.client.get("/users").json()["data"]) == 1
        assert len([line for line in server.output if "first admin" in line]) == 1
        assert server.stop() == 0
    assert _unexpected(server.errors) == []


def test_a_sqlite_file_gets_a_secret_that_its_owner_alone_can_read(tmp_path: Path) -> None:
    url = _new_file(tmp_path)
    file = tmp_path / "new" / "steward.db.secret-key"
    with StewardServer(url, secret_key=None) as server:
        made = file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        assert made.strip().decode() not in "".join(server.output + server.errors)
    with StewardServer(url, "--workers", "2", secret_key=None) as again:
        assert again.client.get("/readyz").status_code == 200
        assert file.read_bytes() == made


def test_postgres_is_not_served_without_a_secret(postgres_url: str) -> None:
    refused = steward("serve", "--port", "0", "--workers", "2", database_url=postgres_url)
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: STEWARD_SECRET_KEY: has to be given with PostgreSQL")
    assert refused.stderr.count("\n") == 1


def test_a_secret_that_others_can_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "steward.db.secret-key"
    secret.write_text(SECRET)
    secret.chmod(0o640)
    refused = steward("serve", "--port", "0", database_url=f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}")
    assert refused.returncode == 1
    assert "chmod 600" in refused.stderr
    assert not (tmp_path / "steward.db").exists()

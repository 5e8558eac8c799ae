"""`steward check`: what is wrong, and what to do about it."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ..conftest import Postgres
from ..support.postgres import PostgresServer, execute
from ..support.steward_command import steward


def _checks(database_url: str) -> tuple[int, dict[str, Any]]:
    done = steward("check", "--json", database_url=database_url, secret_key="not a secret, but 32 characters long")
    answer = json.loads(done.stdout)
    assert answer["ok"] is (done.returncode == 0)
    return done.returncode, {check["name"]: check for check in answer["checks"]}


def test_a_sound_sqlite_database_passes(sqlite_url: str) -> None:
    code, checks = _checks(sqlite_url)
    assert code == 0
    assert list(checks) == [
        "configuration",
        "secret_key",
        "database",
        "schema",
        "journal_mode",
        "synchronous",
        "foreign_keys",
    ]


@pytest.fixture(scope="module")
def durable() -> Iterator[str]:
    """The URL of a database with the schema, whose server may be set otherwise."""
    server = PostgresServer(durable=True)
    try:
        assert steward("db", "upgrade", database_url=server.url("postgres")).returncode == 0
        yield server.url("postgres")
    finally:
        server.stop()


def test_a_sound_postgres_passes(durable: str) -> None:
    code, checks = _checks(durable)
    assert code == 0
    assert list(checks) == [
        "configuration",
        "secret_key",
        "database",
        "schema",
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    ]


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
async def test_a_postgres_that_may_lose_commits_fails(durable: str, setting: str) -> None:
    await set_otherwise(durable, f"ALTER SYSTEM SET {setting} = off", setting, "off")
    code, checks = await asyncio.to_thread(_checks, durable)
    await set_otherwise(durable, f"ALTER SYSTEM RESET {setting}", setting, "on")
    assert code == 1
    assert [name for name, check in checks.items() if not check["ok"]] == [setting]
    assert "ALTER SYSTEM" in checks[setting]["detail"]


async def set_otherwise(url: str, statement: str, setting: str, value: str) -> None:
    """Until new connections find it so: the server reads its files a moment after it was told to."""
    await execute(url, statement, "SELECT pg_reload_conf()")
    async with asyncio.timeout(60):
        while True:
            connection = await asyncpg.connect(url.replace("+asyncpg", ""))
            try:
                if await connection.fetchval(f"SHOW {setting}") == value:
                    return
            finally:
                await connection.close()
            await asyncio.sleep(0.02)


def test_a_database_in_memory_is_not_durable() -> None:
    code, checks = _checks("sqlite+aiosqlite:///:memory:")
    assert code == 1
    assert not checks["journal_mode"]["ok"]


async def test_an_old_schema_fails_with_the_command_that_mends_it(postgres: Postgres) -> None:
    empty = await postgres.create(empty=True)
    code, checks = _checks(empty)
    await postgres.drop(empty)
    assert code == 1
    assert "steward db upgrade" in checks["schema"]["detail"]


def test_a_database_that_cannot_be_reached_ends_the_checks() -> None:
    code, checks = _checks("postgresql+asyncpg://steward:s3cr3t@127.0.0.1:1/steward")
    assert code == 1
    assert list(checks) == ["configuration", "secret_key", "database"]
    assert "s3cr3t" not in str(checks)


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    code, checks = _checks(f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}")
    assert code == 1
    assert "there is no file" in checks["database"]["detail"]
    assert list(tmp_path.iterdir()) == []


def test_faults_of_the_configuration_are_findings() -> None:
    done = steward("check", port="many", pool_size=0)
    assert done.returncode == 1
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["configuration", "failed"]] * 2


def test_postgres_without_a_secret_fails(postgres_url: str) -> None:
    done = steward("check", database_url=postgres_url)
    assert done.returncode == 1
    assert "STEWARD_SECRET_KEY: has to be given with PostgreSQL" in done.stdout


def test_sqlite_without_a_secret_gets_one_later_and_one_that_others_can_read_fails(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'steward.db'}"
    assert "`steward serve` makes one" in steward("check", database_url=url).stdout
    assert list(tmp_path.iterdir()) == []
    secret = tmp_path / "steward.db.secret-key"
    secret.write_text("not a secret, but 32 characters long")
    secret.chmod(0o644)
    assert "chmod 600" in steward("check", database_url=url).stdout
    secret.chmod(0o600)
    assert "secret_key     ok      there is one" in steward("check", database_url=url).stdout

"""`steward serve` on a PostgreSQL that may lose what it has acknowledged."""

import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema

from ..conftest import Postgres
from ..support.postgres import PostgresServer
from ..support.steward_command import steward
from ..support.steward_server import SECRET, StewardServer


async def test_what_may_lose_commits_is_refused_with_its_remedy_and_nothing_is_migrated(postgres: Postgres) -> None:
    """Each setting alone: tests/e2e/test_cli_check.py, of the same checks."""
    url = await postgres.create(empty=True)
    refused = steward("serve", "--port", "0", "--migrate", database_url=url, secret_key=SECRET)
    current = steward("db", "current", database_url=url)
    await postgres.drop(url)
    assert refused.returncode == 1
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert f"Error: PostgreSQL's {setting} is off: " in refused.stderr
        assert f"ALTER SYSTEM SET {setting} = on" in refused.stderr
    assert "STEWARD_ALLOW_UNSAFE_DURABILITY" in refused.stderr
    assert "revision none" in current.stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_every_setting_is_named_at_once_or_where_it_is_allowed_warned_of_once(postgres_url: str, workers: str) -> None:
    options = ("--port", "0", "--workers", workers)
    refused = steward("serve", *options, database_url=postgres_url, secret_key=SECRET)
    assert [line.split()[2] for line in refused.stderr.splitlines()[:-1]] == [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
    ]
    with StewardServer(postgres_url, "--workers", workers, allow_unsafe_durability=True) as server:
        assert server.client.get("/readyz").status_code == 200
    assert len([line for line in server.errors if "fsync=off, full_page_writes=off" in line]) == 1


async def test_a_durable_postgres_is_served_without_a_word() -> None:
    postgres = PostgresServer(durable=True)
    try:
        async with Database(postgres.url("postgres")) as database:
            await schema.upgrade(database)
        with StewardServer(postgres.url("postgres"), allow_unsafe_durability=None) as server:
            assert server.client.get("/readyz").status_code == 200
    finally:
        postgres.stop()
    assert not [line for line in server.errors if "acknowledged" in line]

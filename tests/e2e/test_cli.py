"""The command line, run as people run it."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.domain.actors import Actor
from steward.domain.users import Role
from steward.entrypoints.cli.main import app
from steward.service_layer import users
from typer.main import get_command
from typer.testing import CliRunner

from ..conftest import Postgres
from ..support.steward_command import steward
from ..support.steward_server import PATIENT, SECRET, environment

PASSWORD = "correct horse battery"
NOBODY_LISTENS = "postgresql+asyncpg://steward:s3cr3t@127.0.0.1:1/steward"


def test_help_imports_nothing_slow() -> None:
    """What --help needs is what the module of the command imports; each of these takes a third of a second or more."""
    slow = "sqlalchemy", "fastapi", "pydantic", "pydantic_settings", "alembic", "dependency_injector", "uvicorn", "rich"
    look = f"import sys, steward.entrypoints.cli.main; print([name for name in {slow} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_explains_itself() -> None:
    done = steward("--help")
    assert done.returncode == 0
    assert "Usage: python -m steward" in done.stdout
    commands = dict(_commands(get_command(app)))
    assert {"serve", "seed", "check", "export", "import", "db upgrade", "db backup", "user list"} <= commands.keys()
    for name, command in commands.items():
        # In this process: to start one for each of them would prove nothing more.
        shown = CliRunner().invoke(app, [*name.split(), "--help"])
        assert shown.exit_code == 0
        assert f"steward {name}" in shown.stdout
        assert command.help, name
        assert " ".join(command.help.split()) in " ".join(shown.stdout.split())


def _commands(group: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    for each, command in group.commands.items():
        yield f"{name} {each}".strip(), command
        if hasattr(command, "commands"):
            yield from _commands(command, f"{name} {each}".strip())


def test_version_is_that_of_the_distribution() -> None:
    assert steward("--version").stdout.startswith("steward 0.")


def test_the_schema_goes_up_down_and_up(server_url: str) -> None:
    newest = schema.newest_revision()
    told = f"The schema is at revision {newest}; the newest is {newest}\n"
    assert steward("db", "current", database_url=server_url).stdout == told
    down = steward("db", "downgrade", "base", database_url=server_url)
    assert down.stdout == f"The schema is at revision none; the newest is {newest}\n"
    assert steward("db", "upgrade", database_url=server_url).stdout == told
    assert steward("db", "upgrade", database_url=server_url).stdout == told, "a second upgrade changes nothing"


def test_an_unknown_revision_is_told_in_a_sentence(sqlite_url: str) -> None:
    done = steward("db", "upgrade", "nonsense", database_url=sqlite_url)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: revision: ")
    assert "Traceback" not in done.stderr


async def test_a_user_is_created_with_a_password_from_standard_input(sqlite_url: str) -> None:
    done = steward(
        *("user", "create", "--username", "Ζωή", "--email", "zoe@example.org", "--role", "admin", "--password-stdin"),
        input=f"{PASSWORD}\n",
        database_url=sqlite_url,
    )
    assert (done.stdout, done.stderr, done.returncode) == ("User 1 is Ζωή (admin)\n", "", 0)
    async with Database(sqlite_url) as database:
        stored = await users.get_user(database.unit_of_work(), Actor.system(), user_id=1)  # type: ignore[arg-type]
    assert stored.role is Role.ADMIN
    assert stored.password_hash is not None
    assert stored.password_hash.value.startswith("$argon2id$")


def test_a_terminal_is_asked_for_the_password_twice_and_does_not_show_it(sqlite_url: str) -> None:
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "steward", "user", "create", "--username", "ada", "--email", "ada@example.org"],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env=environment(**{**PATIENT, "database_url": sqlite_url}),
    ) as process:
        os.close(terminal)
        shown = ""
        for question in ("Password: ", "confirmation: "):
            shown += _read_until(controller, question)
            os.write(controller, f"{PASSWORD}\n".encode())
        shown += _read_until(controller, "User 1 is ada (member)")
    os.close(controller)
    assert process.returncode == 0
    assert PASSWORD not in shown


def test_without_a_terminal_the_password_has_to_be_announced(sqlite_url: str) -> None:
    done = steward("user", "create", "--username", "ada", "--email", "ada@example.org", database_url=sqlite_url)
    assert done.returncode == 2
    assert "--password-stdin" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "password", "told"),
    [
        (("--username", "ada", "--email", "other@example.org"), PASSWORD, "This username is taken"),
        (("--username", "bob", "--email", "b@example.org"), "short", "password: "),
    ],
)
async def test_what_the_domain_refuses_is_told_in_a_sentence(
    arguments: tuple[str, ...], password: str, told: str, sqlite_url: str
) -> None:
    await _register(sqlite_url, username="ada", email="ada@example.org")
    done = steward("user", "create", "--password-stdin", *arguments, input=password, database_url=sqlite_url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {told}")
    assert done.stderr.count("\n") == 1
    assert password not in done.stdout + done.stderr


async def test_users_are_listed_for_people_and_for_programs(sqlite_url: str) -> None:
    await _register(sqlite_url, username="ada", email="[red]ada@example.org")
    await _register(sqlite_url, username="יעל", email="yael@example.org")

    table = steward("user", "list", database_url=sqlite_url).stdout
    assert table.index("יעל") < table.index("ada"), "the newest first"
    assert "[red]" in table, "data is not markup"

    rows = json.loads(steward("user", "list", "--json", "--limit", "1", database_url=sqlite_url).stdout)
    assert [row["username"] for row in rows] == ["יעל"]
    assert rows[0]["created_at"].endswith("Z")
    assert "password_hash" not in rows[0]


@pytest.mark.parametrize("command", [("user", "list"), ("serve", "--port", "0")])
def test_a_database_that_cannot_be_reached_is_told_in_one_line_without_its_password(command: tuple[str, ...]) -> None:
    done = steward(*command, database_url=NOBODY_LISTENS, secret_key=SECRET)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: The database cannot be reached")
    assert "Traceback" not in done.stderr
    assert "postgresql+asyncpg://steward:***@127.0.0.1:1/steward" in done.stderr
    assert "s3cr3t" not in done.stdout + done.stderr


def test_a_database_that_does_not_exist_is_named(postgres_url: str) -> None:
    done = steward("user", "list", database_url=f"{postgres_url}_that_is_not_there")
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert done.stderr.count("\n") == 1


async def test_an_old_schema_is_refused_with_the_command_that_mends_it(postgres: Postgres) -> None:
    empty = await postgres.create(empty=True)
    done = steward("user", "list", database_url=empty)
    await postgres.drop(empty)
    assert done.returncode == 1
    assert "steward db upgrade" in done.stderr


def test_every_fault_of_the_configuration_is_told_at_once() -> None:
    done = steward("user", "list", port="many", pool_size=0, admin_password="short")
    assert done.returncode == 1
    assert [line.partition(": ")[2].partition(":")[0] for line in done.stderr.splitlines()] == [
        "STEWARD_PORT",
        "STEWARD_POOL_SIZE",
        "STEWARD_ADMIN_PASSWORD",
    ]


async def _register(url: str, *, username: str, email: str) -> None:
    async with Database(url) as database:
        await users.register_user(database.unit_of_work(), Actor.system(), username=username, email=email)


def _read_until(controller: int, wanted: str) -> str:
    """Fails after a while: a question that is not asked would be waited for, for ever."""
    shown = b""
    while wanted.encode() not in shown:
        assert select.select([controller], [], [], 120.0)[0], f"shown so far: {shown!r}"
        shown += os.read(controller, 4096)
    return shown.decode()

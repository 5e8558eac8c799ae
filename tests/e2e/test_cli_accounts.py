"""Accounts and sessions that are in use, from the command line: a running server sees it at the next request."""

import json
import re

import httpx2
import pytest
from steward.adapters.database.database import Database
from steward.domain.login_sessions import Client
from steward.domain.users import Role
from steward.testing import given_session, given_user

from ..support.steward_command import steward
from ..support.steward_server import ADMIN_PASSWORD, StewardServer

PASSWORD = "correct horse battery"


def me(server: StewardServer, tokens: dict[str, str]) -> httpx2.Response:
    return server.client.get("/users/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})


def test_a_reset_password_ends_every_session_and_lets_in_with_the_new_one_alone(sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        before = server.sign_in()
        done = steward(
            "user", "reset-password", "ADMIN", "--password-stdin", input=f"{PASSWORD}\n", database_url=sqlite_url
        )
        assert (done.stdout, done.stderr) == ("User 1, admin, has the new password; every session has ended\n", "")
        assert me(server, before).json()["code"] == "token_revoked"
        with pytest.raises(httpx2.HTTPStatusError):
            server.sign_in(password=ADMIN_PASSWORD)
        assert me(server, server.sign_in(password=PASSWORD)).status_code == 200


async def test_a_deactivated_user_is_let_in_no_more_until_activated(postgres_url: str) -> None:
    with StewardServer(postgres_url) as server:
        server.sign_in()
        ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
        assert server.client.post("/users", json=ada).status_code == 201
        tokens = server.sign_in("ada", PASSWORD)
        done = steward("user", "deactivate", "ada@example.org", database_url=postgres_url)
        assert done.stdout == "User 2, ada, is not active; every session has ended\n"
        assert me(server, tokens).json()["code"] == "token_revoked"
        with pytest.raises(httpx2.HTTPStatusError):
            server.sign_in("ada", PASSWORD)
        assert steward("user", "activate", "ada", database_url=postgres_url).stdout == "User 2, ada, is active\n"
        assert me(server, tokens).json()["code"] == "token_revoked", "the sessions of before stay ended"
        assert me(server, server.sign_in("ada", PASSWORD)).status_code == 200


async def test_the_last_active_admin_cannot_be_deactivated(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await given_user(database, username="ada", role=Role.ADMIN)
        await given_user(database, username="bob", role=Role.ADMIN, is_active=False)
    done = steward("user", "deactivate", "ada", database_url=sqlite_url)
    assert done.returncode == 1
    assert done.stderr == "Error: This is the last active admin: make another one first\n"


async def test_sessions_are_listed_for_people_and_for_programs(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        ada = await given_user(database, username="ada")
        session, tokens = await given_session(
            database, user=ada, client=Client(address="192.0.2.7", user_agent="curl/8 [bold]")
        )
        await given_session(database)
    for_people = steward("session", "list", "ada", database_url=sqlite_url).stdout
    assert "192.0.2.7" in for_people
    assert {"curl/8", "[bold]"} <= set(for_people.split())
    (listed,) = json.loads(steward("session", "list", "ada", "--json", database_url=sqlite_url).stdout)
    assert listed.keys() == {"id", "created_at", "refreshed_at", "expires_at", "user_agent", "address"}
    assert (listed["id"], listed["address"], listed["user_agent"]) == (session.id, "192.0.2.7", "curl/8 [bold]")
    assert re.fullmatch(r"[\d-]+T[\d:.]+Z", listed["expires_at"])
    assert tokens.access not in for_people


async def test_one_session_or_all_of_a_user_are_revoked(postgres_url: str) -> None:
    async with Database(postgres_url) as database:
        ada = await given_user(database, username="ada")
        first, _ = await given_session(database, user=ada)
        for _ in range(2):
            await given_session(database, user=ada)
        bobs, _ = await given_session(database)
        assert steward("session", "revoke", str(first.id), database_url=postgres_url).stdout == "1 session ended\n"
        again = steward("session", "revoke", str(first.id), database_url=postgres_url)
        assert (again.returncode, again.stderr) == (1, f"Error: Session id {first.id} not found\n")
        done = steward("session", "revoke", "--user", "ada", database_url=postgres_url)
        assert done.stdout == "2 sessions ended\n"
        async with database.unit_of_work().reading() as uow:
            assert await uow.login_sessions.list_of(ada.id, at=uow.now) == []
            assert await uow.login_sessions.get(bobs.id) == bobs


@pytest.mark.parametrize("arguments", [(), ("1", "--user", "ada")])
def test_what_to_revoke_has_to_be_said_once(sqlite_url: str, arguments: tuple[str, ...]) -> None:
    done = steward("session", "revoke", *arguments, database_url=sqlite_url)
    assert done.returncode == 2
    assert "name a session, or a user with --user" in done.stderr


@pytest.mark.parametrize(
    "command",
    [("user", "deactivate", "nobody"), ("session", "revoke", "--user", "nobody@x.org")],
)
def test_an_unknown_user_is_told_in_a_sentence(sqlite_url: str, command: tuple[str, ...]) -> None:
    done = steward(*command, database_url=sqlite_url)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: User nobody\S* not found\n", done.stderr)

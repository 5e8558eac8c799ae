"""No secret is ever printed: not a right one, not a wrong one, not by a bug, not when the database is gone."""

import asyncio
import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from steward.service_layer.tokens import Tokens

from tests.support.http import PASSWORD
from tests.support.logged import access_line, records, records_of
from tests.support.postgres import PostgresServer
from tests.support.steward_server import StewardServer

DATABASE_PASSWORD = "Datenbank-0815-hunter2"
ADMIN_PASSWORD = "Verwalter-0815-hunter2"
WRONG_PASSWORD = "Falsch-0815-hunter2"
SECRET_KEY = "Schluessel-0815-hunter2-of-32-characters"
IN_QUERY = "Frage-0815-hunter2"
IN_BODY = "Inhalt-0815-hunter2"
IN_PATH = "Pfad-0815-hunter2"


class LeakyServer(StewardServer):
    module = ("tests.e2e.http.leaky_server",)


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """The test stops it."""
    server = PostgresServer()
    yield server
    server.stop()


async def _everything(client: httpx2.AsyncClient) -> list[str]:
    """All that can be sent and should not be printed. The secrets that came of it."""
    made = Tokens.draw()  # by nobody who may
    sign_in = {"grant_type": "password", "username": "admin", "password": ADMIN_PASSWORD}
    good = (await client.post("/auth/token", data=sign_in)).json()
    bearer = {"Authorization": f"Bearer {good['access_token']}"}
    basic = base64.b64encode(f"admin:{ADMIN_PASSWORD}".encode()).decode()
    ada = {"username": "ada", "email": "ada@example.org", "password": PASSWORD}
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/auth/token", {"data": {**sign_in, "password": WRONG_PASSWORD}}),
        ("POST", "/auth/token", {"data": {"grant_type": "refresh_token", "refresh_token": made.refresh}}),
        ("POST", "/auth/token", {"data": {"grant_type": "refresh_token", "refresh_token": good["refresh_token"]}}),
        ("POST", "/users", {"json": ada}),
        ("POST", "/users", {"json": {**ada, "password": [WRONG_PASSWORD]}}),
        ("POST", "/users", {"content": f'{{"password":"{WRONG_PASSWORD}"', "headers": {"Content-Type": "text/json"}}),
        ("GET", "/users/me", {"headers": {"Authorization": f"Bearer {made.access}"}}),
        ("GET", "/users/me", {"headers": {"Authorization": f"Basic {basic}"}}),
        ("GET", f"/users/me?token={IN_QUERY}", {"headers": bearer}),
        ("GET", f"/reset/{IN_PATH}?token={IN_QUERY}", {}),
        ("POST", "/items", {"json": {"name": IN_BODY}, "headers": bearer}),
        ("GET", "/leak", {"headers": bearer}),
        ("GET", "/leak", {"headers": {"Authorization": f"Basic {basic}"}}),
        ("GET", "/refused-row", {"headers": bearer}),
        ("GET", "/noise", {"headers": bearer}),
        ("GET", "/livez", {"headers": {"X-Request-ID": f"a b {IN_QUERY}", "Cookie": IN_QUERY}}),
    ]
    for method, path, arguments in requests:
        await client.request(method, path, **arguments)
    return [basic, made.access, made.refresh, good["access_token"], good["refresh_token"]]


@pytest.mark.parametrize(("log_format", "workers"), [("json", 1), ("console", 2)])
async def test_no_secret_is_printed(own_postgres: PostgresServer, log_format: str, workers: int) -> None:
    url = own_postgres.url("postgres").replace("@", f":{DATABASE_PASSWORD}@")
    server = LeakyServer(
        url,
        "--migrate",
        workers=workers,
        access_log=True,
        log_level="debug",
        log_format=log_format,
        admin_password=ADMIN_PASSWORD,
        secret_key=SECRET_KEY,
    )
    with server:
        async with httpx2.AsyncClient(base_url=server.url, timeout=60) as client:
            secrets = await _everything(client)
            await asyncio.to_thread(own_postgres.stop, keep=True)
            secrets += await _everything_fails(client)
    printed = "\n".join(server.output + server.errors)
    assert printed.count("internal_error") == 3, "there was nothing to look through"
    assert printed.count("database_unavailable") == 2
    assert "DETAIL: …" in printed
    assert "Bearer stwa_…" in printed
    own = [DATABASE_PASSWORD, ADMIN_PASSWORD, WRONG_PASSWORD, SECRET_KEY, IN_QUERY, IN_BODY, IN_PATH, PASSWORD]
    assert not [secret for secret in (*own, *secrets, "$argon2id$") if secret in printed]


async def _everything_fails(client: httpx2.AsyncClient) -> list[str]:
    token = Tokens.draw().access
    sign_in = {"grant_type": "password", "username": "admin", "password": ADMIN_PASSWORD}
    assert (await client.post("/auth/token", data=sign_in)).status_code == 503
    assert (await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})).status_code == 503
    return [token]


def test_whoever_logs_it_each_record_is_a_line_of_the_same_form(sqlite_url: str) -> None:
    with LeakyServer(sqlite_url, access_log=True, database_echo=True) as server:
        server.client.get("/noise", headers={"X-Request-ID": "mine"})
        line = access_line(server, "mine")
        noise = {each["logger"]: each for each in records_of(server, "mine")}
        server.client.get("/leak", headers={"X-Request-ID": "broken"})
        (failed,) = records_of(server, "broken")
        server.client.get(
            "/users/me", headers={"Authorization": f"Bearer {Tokens.draw().access}", "X-Request-ID": "sql"}
        )
        statements = records_of(server, "sql")
    assert noise.keys() == {"py.warnings", "somebody.else", "asyncio"}
    assert all(each["level"] in {"warning", "error"} for each in noise.values())
    assert line["status"] == 200
    assert failed["event"] == "GET /leak failed"
    assert failed["exception"].startswith("Traceback (most recent call last):\n")
    assert "\n" not in json.dumps(failed)
    assert {each["logger"] for each in statements} == {"sqlalchemy.engine.Engine"}
    assert all({"timestamp", "level", "logger", "event"} <= each.keys() for each in records(server))
    assert not [line for line in server.output if "sqlalchemy" in line], "SQLAlchemy has a handler of its own"

"""Clients that hold every answer they see against the contract, and the application to talk to."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import httpx2
from fastapi import FastAPI
from steward.adapters.database import schema
from steward.adapters.database.database import Database
from steward.bootstrap import Container, container_for
from steward.config import load_settings
from steward.entrypoints.http.app import create_app

from .openapi import Document
from .steward_server import QUICK_HASHING

# On a busy machine a hundred requests wait longer for their turn than the default allows.
PATIENT = {"pool_timeout": 60}
_numbers = itertools.count(1)

PROBLEM = "application/problem+json"
_OUTSIDE_THE_DOCUMENT = re.compile(r"/openapi\.json|/docs(/start\.js|/assets/[^/]+)?")
_INTERNALS = re.compile(
    r"Traceback|\bSELECT\b|\bINSERT INTO\b|\bUPDATE \w+ SET\b|\bDELETE FROM\b|sqlalchemy|asyncpg|aiosqlite|sqlite3"
    r"|\.py\b|site-packages|/home/|/tmp/|/usr/",
    re.IGNORECASE,
)
# Nothing was stored, so the request may be repeated; of `outcome_unknown` nobody knows.
_TRY_LATER = {
    *("overloaded", "database_unavailable", "deadline_exceeded", "schema_out_of_date", "shutting_down"),
}


class Contract:
    """What is true of every answer; `check` and `acheck` are response hooks for clients.

    A 500 is a bug, so it fails the test, except where the test has made one happen: `with_bugs`.
    """

    def __init__(self, document: Document, *, with_bugs: bool = False) -> None:
        self.document = document
        self._with_bugs = with_bugs

    async def acheck(self, response: httpx2.Response) -> None:
        await response.aread()
        self._check(response)

    def check(self, response: httpx2.Response) -> None:
        response.read()
        self._check(response)

    def _check(self, response: httpx2.Response) -> None:
        request, headers = response.request, response.headers
        assert self._with_bugs or response.status_code != 500, response.text
        assert re.fullmatch(r"[A-Za-z0-9._:/+=@-]{1,128}", headers["X-Request-ID"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not response.is_redirect
        if headers.get("Content-Type", "").startswith("text/html"):
            assert "default-src 'none'" in headers["Content-Security-Policy"]
        if request.method == "HEAD":
            assert response.content == b""
        elif response.is_error:
            _check_problem(response)
        elif response.status_code == 204:
            assert response.content == b""
        self._check_against_document(response)

    def _check_against_document(self, response: httpx2.Response) -> None:
        method, path = response.request.method, _path_of(response)
        operation = self.document.operation(method, path)
        if method == "OPTIONS" or response.status_code == 405:
            assert response.status_code == 404 or {"OPTIONS"} <= set(response.headers["Allow"].split(", "))
        elif operation is None:
            assert response.status_code == 404 or _OUTSIDE_THE_DOCUMENT.fullmatch(path.removesuffix("/"))
        else:
            documented = operation["responses"]
            assert str(response.status_code) in documented, f"{response.status_code} is not documented: {response.text}"
            self._check_content(response, documented[str(response.status_code)])

    def _check_content(self, response: httpx2.Response, documented: dict[str, Any]) -> None:
        for name in ("ETag", "Location", "Link", "Retry-After"):
            assert name not in response.headers or name in documented["headers"], f"{name} is not documented"
        if not response.content:
            return
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in documented["content"], f"{kind} is not documented"
        if kind.endswith("json"):
            faults = self.document.faults(response.json(), documented["content"][kind]["schema"])
            assert not faults, faults


def _check_problem(response: httpx2.Response) -> None:
    assert response.headers["Content-Type"] == PROBLEM
    assert not _INTERNALS.search(response.text), response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == "/problems/" + problem["code"].replace("_", "-")
    assert problem["request_id"] == response.headers["X-Request-ID"]
    assert problem["instance"].removeprefix("/.") == _raw_path_of(response)
    assert problem["title"]
    assert problem["detail"]
    assert (response.headers.get("Retry-After") is not None) == (problem["code"] in _TRY_LATER)
    for fault in problem.get("errors", ()):
        assert len(fault.keys() & {"pointer", "parameter", "header"}) == 1
        assert re.fullmatch(r"(/([^~/]|~[01])*)*", fault.get("pointer", ""), re.DOTALL)


def _raw_path_of(response: httpx2.Response) -> str:
    return response.request.url.raw_path.decode().partition("?")[0]


def _path_of(response: httpx2.Response) -> str:
    """Decoded, except for what would be taken for a separator or overlooked by a pattern."""
    return "/".join(re.sub(r"[/\n]", "%", unquote(segment)) for segment in _raw_path_of(response).split("/"))


@dataclass(frozen=True, slots=True)
class Api:
    """An application in this process, and a client that checks what it answers."""

    app: FastAPI
    container: Container
    client: httpx2.AsyncClient
    document: Document

    @property
    def database(self) -> Database:
        database: Database = self.container.database()
        return database

    async def user(self, name: str | None = None) -> dict[str, Any]:
        """Without a name: one that nobody else has."""
        name = name or f"user{next(_numbers)}"
        body = {"username": name, "email": f"{name}@example.org", "password": "swordfish 8"}
        return _made(await self.client.post("/users", json=body))

    async def item(self, owner_id: int, **fields: Any) -> dict[str, Any]:
        return _made(await self.client.post("/items", json={"owner_id": owner_id, "name": "Box", **fields}))


def _made(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


@asynccontextmanager
async def serving(database_url: str, *, with_bugs: bool = False, **settings: object) -> AsyncIterator[Api]:
    """Without a server: the client calls the application. No connection may be left checked out at the end."""
    container = container_for(load_settings(database_url=database_url, **{**QUICK_HASHING, **PATIENT, **settings}))
    app = create_app(container)
    async with app.router.lifespan_context(app):
        database: Database = container.database()
        if database_url.endswith(":memory:"):
            await schema.upgrade(database)
        document = Document(app.openapi())
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        hooks = {"response": [Contract(document, with_bugs=with_bugs).acheck]}
        async with httpx2.AsyncClient(transport=transport, base_url="http://steward.test", event_hooks=hooks) as client:
            yield Api(app, container, client, document)
        assert database.checked_out() == 0, "a connection was left checked out"


def hold_to_the_contract(client: httpx2.Client) -> httpx2.Client:
    """A client of a real server, from now on checking what it answers."""
    contract = Contract(Document(client.get("/openapi.json").json()))
    client.event_hooks = {"response": [contract.check]}
    return client


def problem_of(response: httpx2.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def faults_of(response: httpx2.Response) -> list[tuple[str, str]]:
    """Where, and which rule."""
    assert problem_of(response)[0] == 422, response.text
    return [
        (fault.get("pointer", fault.get("parameter")), fault["code"]) for fault in response.json().get("errors", ())
    ]

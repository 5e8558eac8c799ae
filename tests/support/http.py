"""Clients that hold every answer they see against the contract, and the application to talk to."""

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI
from steward.adapters.database.database import Database
from steward.adapters.database.operations import schema
from steward.bootstrap import Container, container_for
from steward.config import load_settings
from steward.domain.actors import Actor
from steward.domain.users import Role, User, UserId
from steward.entrypoints.http.app import create_app
from steward.service_layer import users
from steward.testing import given_session, given_user

from .answer_rules import OUTSIDE_THE_DOCUMENT, check_caching, check_problem, check_security_headers, path_of
from .openapi import Document
from .steward_server import PATIENT, QUICK_HASHING, SECRET

PASSWORD = "swordfish 8"  # of every user whom `Api.user` makes
_numbers = itertools.count(1)


_OWN_HEADERS = (
    *("ETag", "Location", "Link", "Retry-After", "WWW-Authenticate", "RateLimit", "RateLimit-Policy"),
    "Idempotent-Replayed",
)


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
        assert response.status_code == 304 or not response.is_redirect
        check_security_headers(headers)
        check_caching(response)
        if request.method == "HEAD":
            assert response.content == b""
        elif response.is_error:
            check_problem(response)
        elif response.status_code in (204, 304):
            assert response.content == b""
        self._check_against_document(response)

    def _check_against_document(self, response: httpx2.Response) -> None:
        method, path = response.request.method, path_of(response)
        operation = self.document.operation(method, path)
        if method == "OPTIONS" or response.status_code == 405:
            assert response.status_code == 404 or {"OPTIONS"} <= set(response.headers["Allow"].split(", "))
        elif operation is None:
            assert response.status_code == 404 or OUTSIDE_THE_DOCUMENT.fullmatch(path.removesuffix("/"))
        else:
            documented = operation["responses"]
            assert str(response.status_code) in documented, f"{response.status_code} is not documented: {response.text}"
            self._check_content(response, documented[str(response.status_code)])

    def _check_content(self, response: httpx2.Response, documented: dict[str, Any]) -> None:
        for name in _OWN_HEADERS:
            assert name not in response.headers or name in documented["headers"], f"{name} is not documented"
        if "Cache-Control" in documented.get("headers", ()):
            assert response.headers["Cache-Control"] == "no-store"
        if not response.content:
            return
        kind = response.headers["Content-Type"].partition(";")[0]
        assert kind in documented["content"], f"{kind} is not documented"
        if kind.endswith(("/json", "+json")):
            faults = self.document.faults(response.json(), documented["content"][kind]["schema"])
            assert not faults, faults


@dataclass(frozen=True, slots=True)
class Api:
    """An application in this process, and clients that check what it answers: `client` is an admin's, `anonymous`
    nobody's. Others act through either, by `headers=await api.bearer(user_id)`."""

    app: FastAPI
    container: Container
    client: httpx2.AsyncClient
    anonymous: httpx2.AsyncClient
    document: Document

    @property
    def database(self) -> Database:
        database: Database = self.container.database()
        return database

    async def bearer(self, user_id: int) -> dict[str, str]:
        """What a user sends who has just signed in."""
        user = await users.get_user(self.database.unit_of_work(), Actor.system(), user_id=UserId(user_id))
        return await bearer_of(self.database, user)

    async def user(self, name: str | None = None) -> dict[str, Any]:
        """Without a name: one that nobody else has."""
        name = name or f"user{next(_numbers)}"
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        return _made(await self.client.post("/users", json=body))

    async def item(self, owner_id: int, **fields: Any) -> dict[str, Any]:
        return _made(await self.client.post("/items", json={"owner_id": owner_id, "name": "Box", **fields}))


async def bearer_of(database: Database, user: User) -> dict[str, str]:
    _, tokens = await given_session(database, user=user)
    return {"Authorization": f"Bearer {tokens.access}"}


def _made(response: httpx2.Response) -> dict[str, Any]:
    assert response.status_code == 201, response.text
    body: dict[str, Any] = response.json()
    return body


@asynccontextmanager
async def serving(database_url: str, *, with_bugs: bool = False, **settings: object) -> AsyncIterator[Api]:
    """Without a server: the client calls the application. No connection may be left checked out at the end."""
    defaults = {**QUICK_HASHING, **PATIENT, "secret_key": SECRET, "rate_limits": False}
    container = container_for(load_settings(database_url=database_url, **{**defaults, **settings}))
    app = create_app(container)
    async with app.router.lifespan_context(app):
        database: Database = container.database()
        if database_url.endswith(":memory:"):
            await schema.upgrade(database)
        document = Document(app.openapi())
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        hooks = {"response": [Contract(document, with_bugs=with_bugs).acheck]}
        options: Any = {"transport": transport, "base_url": "http://steward.test", "event_hooks": hooks}
        admin = await given_user(database, role=Role.ADMIN)
        async with (
            httpx2.AsyncClient(**options, headers=await bearer_of(database, admin)) as client,
            httpx2.AsyncClient(**options) as anonymous,
        ):
            yield Api(app, container, client, anonymous, document)
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

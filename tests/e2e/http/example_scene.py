"""The story that the examples of the OpenAPI document tell, on a real server: Ada is user 7, and her box item 7."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from steward.adapters.database.database import Database
from steward.adapters.database.tables import metadata
from steward.domain.users import UserId
from steward.entrypoints.http.openapi import examples
from steward.testing import given_item, given_session, given_user

from tests.support.openapi import Document, Json, example_of
from tests.support.steward_server import StewardServer

TABLES = [table.name for table in metadata.sorted_tables]
# Who asks for these does it about herself; all others come from an admin.
BY_ADA = {"change_password", "log_out", "list_sessions", "end_session"}
# Without these, Ada's items are in the way.
NEEDED = {"delete_user": {"items", "to"}}


@dataclass(frozen=True, slots=True)
class Example:
    """A request of the document's own values. `query` and `headers` are given by name."""

    operation: Json
    method: str
    path: str
    query: dict[str, Any]
    headers: dict[str, str]
    kind: str | None = None
    body: Any = None


@dataclass(frozen=True, slots=True)
class Scene:
    server: StewardServer
    document: Document
    connection: AsyncConnection
    access_token: str
    refresh_token: str

    def examples_of(self, operation_id: str) -> list[Example]:
        """Each body in each of its media types; with all parameters of the query at once, and each header field."""
        return [
            variant
            for method, path, operation in self.document.operations()
            if operation["operationId"] == operation_id
            for each in self._with_bodies(method, path, operation)
            for variant in _with_parameters(each)
        ]

    def _with_bodies(self, method: str, path: str, operation: Json) -> Iterator[Example]:
        values = {each["name"]: example_of(each) for each in operation["parameters"]}
        path = re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), path)
        plain = Example(operation, method, path, {}, {})
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            yield plain
        for kind, media_type in content.items():
            for example in media_type["examples"].values():
                yield replace(plain, kind=kind, body=self._with_real_token(example["value"]))

    def _with_real_token(self, body: Any) -> Any:
        is_refresh = isinstance(body, dict) and "refresh_token" in body
        return {**body, "refresh_token": self.refresh_token} if is_refresh else body

    async def send(self, example: Example) -> httpx2.Response:
        """On what there was in the beginning. The client checks the answer."""
        await self._begin_again()
        return await self.ask(example)

    async def ask(self, example: Example) -> httpx2.Response:
        """On what there is now."""
        headers = dict(example.headers)
        if example.operation["operationId"] in BY_ADA:
            headers["Authorization"] = f"Bearer {self.access_token}"
        options: dict[str, Any] = {"params": example.query}
        if example.kind == "application/x-www-form-urlencoded":
            options["data"] = example.body
        elif isinstance(example.body, str):
            options["content"], headers["Content-Type"] = example.body.encode(), example.kind or ""
        elif example.kind is not None:
            options["json"], headers["Content-Type"] = example.body, example.kind
        return self.server.client.request(example.method, example.path, headers=headers, **options)

    async def _begin_again(self) -> None:
        for table in reversed(TABLES):
            await self.connection.exec_driver_sql(f"DELETE FROM {table}")
        for table in TABLES:
            await self.connection.exec_driver_sql(f"INSERT INTO {table} SELECT * FROM kept_{table}")


def _with_parameters(example: Example) -> Iterator[Example]:
    query, headers = (
        {each["name"]: _as_text(example_of(each)) for each in example.operation["parameters"] if each["in"] == place}
        for place in ("query", "header")
    )
    query.pop("cursor", None)  # nobody can know one beforehand
    needed = NEEDED.get(example.operation["operationId"], set())
    plain = replace(example, query={name: value for name, value in query.items() if name in needed})
    yield plain
    if query != plain.query:
        yield replace(plain, query=query)
    if "Content-Digest" in headers:
        # It has to be that of the body, and an Idempotency-Key goes with it alone.
        digest = {"Content-Digest": _digest_of(example.body)}
        plain, headers = replace(plain, headers=digest), headers | digest
    for name, value in headers.items():
        yield replace(plain, headers={**plain.headers, name: value})


def _digest_of(body: str) -> str:
    """RFC 9530."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}:"


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@asynccontextmanager
async def story(url: str, server: StewardServer) -> AsyncIterator[Scene]:
    """The server stands on a database in which there is its admin, user 1, and nobody else."""
    async with Database(url) as database:
        fillers = [await given_user(database) for _ in range(5)]
        assert fillers[-1].id == 6
        for name in ("ada", "bob"):
            sign_up = {"username": name, "email": f"{name}@example.org", "password": examples.PASSWORD}
            assert server.client.post("/users", json=sign_up).status_code == 201
        fields: dict[str, Any] = {
            name: examples.BOX[name] for name in ("name", "description", "quantity", "attributes")
        }
        for owner in (*(each.id for each in fillers), 7, 7, 8):
            item = await given_item(database, owner=UserId(owner), **fields)
        assert item.id == 8
        async with database.unit_of_work() as uow:
            ada = await uow.users.get(UserId(7))
        session, tokens = await given_session(database, user=ada)
        while session.id < 7:
            session, tokens = await given_session(database, user=ada)
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for table in TABLES:
            await connection.exec_driver_sql(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
        document = Document(server.client.get("/openapi.json").json())
        yield Scene(server, document, connection, tokens.access, tokens.refresh)
    await engine.dispose()
